//===- Exploration.h - What actions are worth -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_EXPLORATION_H
#define MLCOMPILER_GYM_SERVICE_EXPLORATION_H

#include "ActionChecker.h"
#include "Copies.h"
#include "Tensors.h"
#include <optional>
#include <string>

namespace mlcompiler {

/// An Explore that is under way: which actions are to be tried where, the
/// copies of the session that try them, and what has come of that.
class Exploration {
public:
  /// \p Decision is the number of the decision that the session is stopped at.
  /// Keeps a reference to \p Checker.
  static llvm::Expected<std::unique_ptr<Exploration>>
  create(const proto::Explore &Request, uint64_t Decision,
         const Tensors &Features, const ActionChecker &Checker);

  /// Whether actions are to be tried at the decision of that number.
  bool isDue(uint64_t Decision) const {
    return Next != Due.size() && Due[Next] == Decision;
  }

  /// Tries the actions of a decision, at which the policy takes \p Own.
  /// Returns, in a copy only, the pipe that it is to report to; its action is
  /// action().
  std::optional<int> explore(uint64_t Decision, llvm::StringRef Own,
                             const Tensors &Features);
  llvm::StringRef action() const { return Action; }
  bool wantsObject() const { return Request.objects(); }

  /// Whether there is nothing left to try.
  bool isDone() const;

  /// Says that the session stays where it is, and with which seed the policy
  /// then draws on, if it draws.
  void stay(std::optional<uint64_t> Seed) { StaysWith = Seed; }

  /// Waits for the copies, and moves into \p Reply what has been found out, \p
  /// Record being what there is to say of the policy.
  void finish(const proto::PlayReply &Record, proto::ExploreReply &Reply);

private:
  Exploration(const proto::Explore &Request, uint64_t Decision,
              const ActionChecker &Checker);

  std::vector<std::string> candidates(llvm::StringRef Own,
                                      const Tensors &Features) const;
  void take(size_t Tag, proto::Reply Report);

  const proto::Explore Request;
  const ActionChecker &Checker;
  /// Numbers of the decisions that are left.
  std::vector<uint64_t> Due;
  size_t Next = 0;
  std::string Action;
  std::optional<uint64_t> StaysWith;
  proto::ExploreReply Found;
  /// Bytes of Found, about.
  size_t Bytes = 0;
  /// By tag: the decision's index in Found, and the alternative's in it.
  std::vector<std::pair<int, int>> Places;
  Copies Trying;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_EXPLORATION_H
