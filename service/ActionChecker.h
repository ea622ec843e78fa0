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
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// The choices that an action is made of: how many values each has. A discrete
/// action is one choice; a continuous action is none.
llvm::SmallVector<size_t, 1> countValues(const proto::ActionSpec &Spec);

/// Checks a client's actions, so that none reaches LLVM that it would not
/// survive.
class ActionChecker {
public:
  ActionChecker() = default;
  explicit ActionChecker(const proto::TaskSpec &Spec);

  /// Bytes of one action.
  size_t bytes() const { return ActionBytes; }

  /// Whether \p Action is an action at all.
  llvm::Error check(llvm::StringRef Action) const;

  /// Whether \p Action is also legal at \p Decision.
  llvm::Error check(llvm::StringRef Action, const Tensors &Decision) const;

  /// Whether an action is made of choices; otherwise it is a number.
  bool isDiscrete() const { return !Choices.empty(); }

  /// How many values a choice has.
  size_t valueCount(size_t Choice) const { return Choices[Choice].Count; }

  /// Whether all actions can be listed: they are one choice.
  bool hasList() const { return Choices.size() == 1; }

  /// All actions of one choice, in ascending order.
  std::vector<std::string> all() const;

  /// Writes a byte for each value of each choice, 1 if it is legal at
  /// \p Decision, which has a mask.
  void writeLegal(const Tensors &Decision, std::string &Legal) const;

private:
  struct Choice {
    /// How a message about this choice begins; empty if it is the only one.
    std::string Name;
    size_t Count;
  };

  llvm::Error checkContinuous(float Action) const;

  size_t ActionBytes = 0;
  llvm::SmallVector<Choice, 1> Choices;
  double Low = 0, High = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_ACTIONCHECKER_H
