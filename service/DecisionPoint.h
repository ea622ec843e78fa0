//===- DecisionPoint.h - Where LLVM asks ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H
#define MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H

#include "Tensors.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Error.h"

namespace mlcompiler {

/// Answers the decisions of the compile that runs in this process, whether an
/// advisor of LLVM's asks or a pass of ours.
///
/// LLVM creates model runners by itself, so the answerer is found by a
/// process-wide pointer. Without one, nothing can be asked: a runner that is
/// created then ends the process with a fatal error.
class DecisionPoint {
public:
  virtual ~DecisionPoint() = default;

  /// The tensors that decisions are made from. LLVM's own are bound to them.
  virtual Tensors &tensors() = 0;

  /// Has the task write the tensors that are not LLVM's, and the agent answer.
  /// Returns the bytes of the action, laid out as the task says, valid until
  /// the next call. If there is no agent any more, it never returns.
  virtual llvm::StringRef decide() = 0;

  /// The same for an action that is one T.
  template <typename T> T ask() {
    return llvm::support::endian::read<T>(decide().data(),
                                          llvm::endianness::little);
  }

  /// Ends the session with an error for the client.
  [[noreturn]] virtual void refuse(llvm::Error Why) = 0;

  static DecisionPoint *Current;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_DECISIONPOINT_H
