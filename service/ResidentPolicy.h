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

/// A policy that answers the decisions of a session, and the record of its
/// answers.
///
/// Contract: decide() returns only actions that are legal at the decision.
/// Failure mode: a policy that does not fit the session is not created. If its
/// numbers overflow at a decision, the policy stops there; the record says why,
/// and its earlier decisions stand.
class ResidentPolicy {
public:
  /// Reads the policy of \p Request, which need not be trusted, for a session
  /// that was opened with \p Options. Keeps references to \p Layout and
  /// \p Checker.
  static llvm::Expected<std::unique_ptr<ResidentPolicy>>
  create(const proto::Play &Request, const proto::TaskSpec &Spec,
         const proto::Open &Options, const FeatureLayout &Layout,
         const ActionChecker &Checker);

  using Observations = google::protobuf::RepeatedPtrField<proto::Observation>;
  using Measurements = google::protobuf::RepeatedPtrField<proto::Measurement>;

  /// Whether it decides by observations of the program, or records them.
  bool needsObserved() const { return NeedsObserved; }

  /// Returns the action, laid out as the task says; it stays valid until the
  /// next call. It is empty if the policy has answered as many decisions as it
  /// was asked to, or if it stops. \p Observed are the observations that the
  /// layout has; they may be left out if needsObserved() is false.
  llvm::StringRef decide(const Tensors &Features, const Observations &Observed);

  /// Stops at this decision; the record says \p Why.
  void stop(std::string Why) { Record.set_stopped(std::move(Why)); }

  /// Whether it has answered any decision.
  bool hasActed() const { return !Record.actions().empty(); }
  void keepMeasured(const Measurements &Values);

  /// The seed with which another policy goes on drawing; nullopt if it does not
  /// draw.
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
  /// Writes the action. \p Mask says what is legal, or is null if everything
  /// is. Returns null, or why it cannot decide.
  const char *choose(const uint8_t *Mask, double &LogProbability);

  /// One for each choice that an action is made of.
  const Deciders Each;
  const FeatureLayout &Layout;
  const ActionChecker &Checker;
  std::optional<policy::Random> Sample;
  const bool RecordFeatures;
  const bool LegalColumns;
  const bool NeedsObserved;
  /// How many more decisions it will answer, if there is a limit.
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
