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

/// An Explore that is under way: the decisions and actions to try, the copies
/// of the session that try them, and their results so far.
class Exploration {
public:
  /// \p Decision is the number of the decision that the session is stopped at.
  /// Keeps a reference to \p Checker.
  static llvm::Expected<std::unique_ptr<Exploration>>
  create(const proto::Explore &Request, uint64_t Decision,
         const Tensors &Features, const ActionChecker &Checker);

  /// Whether the request wants actions tried at decision number \p Decision.
  bool isDue(uint64_t Decision) const {
    return Next != Due.size() && Due[Next] == Decision;
  }

  /// Tries the actions of a decision, at which the policy takes \p Own.
  /// Returns, in a copy only, the pipe to report to; action() is then the
  /// copy's action.
  std::optional<int> explore(uint64_t Decision, llvm::StringRef Own,
                             const Tensors &Features);
  llvm::StringRef action() const { return Action; }
  bool wantsObject() const { return Request.objects(); }

  /// Whether there is nothing left to try.
  bool isDone() const;

  /// Says that the session stays at this decision. \p Seed is the one with
  /// which a policy draws on from here, if it draws.
  void stay(std::optional<uint64_t> Seed) { StaysWith = Seed; }

  /// Waits for the copies, and moves their results into \p Reply. \p Record
  /// says the rest about the policy.
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
  /// Roughly how many bytes Found has.
  size_t Bytes = 0;
  /// By tag: the index of the decision in Found, and of the alternative in that
  /// decision.
  std::vector<std::pair<int, int>> Places;
  Copies Trying;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_EXPLORATION_H
