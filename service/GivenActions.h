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

/// The actions of a Step, until the decisions come up that they are for.
///
/// Contract: what take() returns is an action, and legal at its decision.
/// Failure mode: actions that cannot be any are refused together, before one of
/// them is taken. One that turns out to be illegal is dropped with those behind
/// it.
class GivenActions {
public:
  /// Takes \p Bytes, actions one behind the other, in the place of what is
  /// left.
  llvm::Error give(const std::string &Bytes, const ActionChecker &Checker);

  /// Whether all have been taken.
  bool empty() const { return Next == Bytes.size(); }

  /// The next action, valid until others are given. There must be one.
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
