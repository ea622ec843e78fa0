//===- DecisionPoint.h - Where LLVM asks --------------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H
#define MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H

#include "llvm/ADT/StringRef.h"

namespace mlcompiler {

/// Answers the decisions of the compile that runs in this process.
///
/// LLVM creates model runners by itself, so the answerer is found by a
/// process-wide pointer. Without one, nothing can be asked: a runner that is
/// created then ends the process with a fatal error.
class DecisionPoint {
public:
  virtual ~DecisionPoint() = default;

  /// Called with the tensors of one decision, concatenated. Returns the bytes
  /// of the action, of the size that was announced. Returns when the agent has
  /// answered; if there is no agent any more, never.
  virtual llvm::StringRef decide(llvm::StringRef Features) = 0;

  static DecisionPoint *Current;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H
