//===- ActionChecker.h - Which actions are legal ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_ACTIONCHECKER_H
#define MLCOMPILER_GYM_SERVICE_ACTIONCHECKER_H

#include "Failure.h"
#include "Tensors.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// Keeps from LLVM what it would not survive.
class ActionChecker {
public:
  ActionChecker() = default;
  explicit ActionChecker(const proto::TaskSpec &Spec);

  /// Bytes of one action.
  size_t bytes() const { return ActionBytes; }

  /// Whether \p Action is an action at all.
  llvm::Error check(llvm::StringRef Action) const;

  /// Whether it is legal at \p Decision, too.
  llvm::Error check(llvm::StringRef Action, const Tensors &Decision) const;

  /// Whether an action is one of a fixed set; otherwise it is a number.
  bool isDiscrete() const { return Count != 0; }

  /// Writes a byte for each action, 1 if it is legal at \p Decision, which has
  /// a mask.
  void writeLegal(const Tensors &Decision, std::string &Legal) const;

private:
  llvm::Error checkDiscrete(int64_t Action) const;
  llvm::Error checkContinuous(float Action) const;

  size_t ActionBytes = 0;
  /// Number of discrete actions; 0 for a continuous one.
  int64_t Count = 0;
  double Low = 0, High = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_ACTIONCHECKER_H
