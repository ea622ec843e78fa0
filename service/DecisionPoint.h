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

/// Answers the decisions of the compile that runs in this process. An advisor
/// of LLVM's asks for them, or a pass of ours.
///
/// LLVM creates model runners by itself, so they find this object by a
/// process-wide pointer. A runner that is created while the pointer is null
/// ends the process with a fatal error.
class DecisionPoint {
public:
  virtual ~DecisionPoint() = default;

  /// The tensors that decisions are made from. LLVM's own are bound to them.
  virtual Tensors &tensors() = 0;

  /// Lets the task write the tensors that LLVM does not, and asks the agent.
  /// Returns the bytes of the action, laid out as the task says, which stay
  /// valid until the next call. Does not return if the agent has gone.
  virtual llvm::StringRef decide() = 0;

  /// Does the same for an action that is one T.
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
