//===- ResidentPolicy.h - Decisions without the client ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_RESIDENTPOLICY_H
#define MLCOMPILER_GYM_SERVICE_RESIDENTPOLICY_H

#include "ActionChecker.h"
#include "Tensors.h"
#include "policy/Decider.h"
#include <memory>
#include <optional>
#include <vector>

namespace mlcompiler {

/// A policy that answers the decisions of a session, and what it has answered.
///
/// Contract: what decide() returns is legal where the session stands.
/// Failure mode: a policy that does not fit the session is not created. One
/// that cannot decide, for a number that is not finite, stops; the record says
/// why, and what it has decided before stands.
class ResidentPolicy {
public:
  /// Reads the policy of \p Request, which may be anybody's, for a session that
  /// was opened so. Keeps references to \p Layout and \p Checker.
  static llvm::Expected<std::unique_ptr<ResidentPolicy>>
  create(const proto::Play &Request, const proto::TaskSpec &Spec,
         const proto::Open &Options, const FeatureLayout &Layout,
         const ActionChecker &Checker);

  using Observations = google::protobuf::RepeatedPtrField<proto::Observation>;
  using Measurements = google::protobuf::RepeatedPtrField<proto::Measurement>;

  /// Whether it decides by, or records, what is observed of the program.
  bool needsObserved() const { return NeedsObserved; }

  /// The action, laid out as the task has it, valid until the next call; empty
  /// if the policy has answered all that it was to, or stops. \p Observed are
  /// those that the layout has, or none if they are not needed.
  llvm::StringRef decide(const Tensors &Features, const Observations &Observed);

  /// Stops where it is, with the record saying \p Why.
  void stop(std::string Why) { Record.set_stopped(std::move(Why)); }

  /// Whether it has answered, to which keepMeasured() adds what came of it.
  bool hasActed() const { return !Record.actions().empty(); }
  void keepMeasured(const Measurements &Values);

  /// The seed with which another policy draws on; nullopt if it does not draw.
  std::optional<uint64_t> seed() const {
    return Sample ? std::optional<uint64_t>(Sample->state()) : std::nullopt;
  }

  /// Draws with \p Seed from now on, if it draws.
  void drawWith(uint64_t Seed) {
    if (Sample)
      Sample.emplace(Seed);
  }

  /// Moves into \p Reply what has been recorded.
  void takeRecord(proto::PlayReply &Reply);

private:
  using Deciders = std::vector<std::unique_ptr<policy::Decider>>;

  ResidentPolicy(const proto::Play &Request, Deciders Each,
                 const FeatureLayout &Layout, const ActionChecker &Checker,
                 bool ReadsObserved);

  void appendObserved(const Observations &Observed);
  void recordFeatures();
  /// Writes the action, \p Mask being what is legal, if that is said. Null, or
  /// why it cannot.
  const char *choose(const uint8_t *Mask, double &LogProbability);

  /// One for each choice that an action is made of.
  const Deciders Each;
  const FeatureLayout &Layout;
  const ActionChecker &Checker;
  std::optional<policy::Random> Sample;
  const bool RecordFeatures;
  const bool LegalColumns;
  const bool NeedsObserved;
  /// Decisions to answer yet, if there is a limit.
  std::optional<uint64_t> Left;
  /// The features and mask of the decision at hand. They are members so that
  /// their memory is used again.
  std::string Floats;
  std::string Legal;
  std::string Action;
  proto::PlayReply Record;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_RESIDENTPOLICY_H
