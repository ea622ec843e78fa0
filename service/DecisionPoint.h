//===- DecisionPoint.h - Where LLVM asks --------------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H
#define MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Analysis/TensorSpec.h"
#include "llvm/Support/Error.h"
#include <vector>

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

  /// Tensors to send after those of LLVM's own advisor, for a runner that LLVM
  /// makes.
  virtual std::vector<llvm::TensorSpec> extraFeatures() const = 0;
  /// Called before decide() if there are any, with the tensors of LLVM's own;
  /// writes them, one behind the other.
  virtual void computeExtraFeatures(const char *Features, char *To) = 0;

  /// Called once, with the tensors that decisions will have. Ends the session
  /// if they are not those that the client was told of.
  virtual void announce(llvm::ArrayRef<llvm::TensorSpec> Features) = 0;

  /// Ends the session with an error for the client.
  [[noreturn]] virtual void refuse(llvm::Error Why) = 0;

  static DecisionPoint *Current;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H
