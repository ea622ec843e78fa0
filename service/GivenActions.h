//===- GivenActions.h - Actions that wait for their decisions ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_GIVENACTIONS_H
#define MLCOMPILER_GYM_SERVICE_GIVENACTIONS_H

#include "ActionChecker.h"
#include <string>

namespace mlcompiler {

/// The actions of a Step, kept until the decisions that they are for come up.
///
/// Contract: take() returns only actions that are legal at their decisions.
/// Failure mode: if the bytes are no actions, give() refuses all of them. An
/// action that turns out to be illegal is dropped, and all actions behind it
/// are as well.
class GivenActions {
public:
  /// Replaces what is left by \p Bytes, which are actions one after the other.
  llvm::Error give(const std::string &Bytes, const ActionChecker &Checker);

  /// Whether all have been taken.
  bool empty() const { return Next == Bytes.size(); }

  /// The next action, valid until others are given. There must be one left.
  llvm::Expected<llvm::StringRef> take(const ActionChecker &Checker,
                                       const Tensors &Decision);

  void clear() {
    Bytes.clear();
    Next = 0;
  }

private:
  std::string Bytes;
  size_t Next = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_GIVENACTIONS_H
