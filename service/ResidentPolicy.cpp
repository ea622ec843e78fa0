//===- ResidentPolicy.cpp - Decisions without the client ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ResidentPolicy.h"
#include "Failure.h"
#include "Wire.h"
#include "policy/PolicyFile.h"
#include "tasks/Task.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace mlcompiler;

static Error refuse(const Twine &Why) {
  return fail(proto::INVALID_ARGUMENT, Why);
}

/// The kind of decision that a task describes, for a choice with \p Values
/// values, or for a number if that is 0.
static policy::Kind kindOf(const proto::TaskSpec &Spec, size_t Values) {
  policy::Kind K;
  K.Task = Spec.name();
  K.Actions = Values;
  K.Low = Spec.action().tensor().low();
  K.High = Spec.action().tensor().high();
  if (Spec.has_heuristic()) {
    K.Heuristic.emplace();
    K.Heuristic->Feature = Spec.heuristic().feature();
    K.Heuristic->Action = Spec.heuristic().action();
  }
  if (Spec.has_inactive_action())
    K.Inactive = Spec.inactive_action();
  if (Spec.has_active_action())
    K.Active = Spec.active_action();
  for (const proto::Rule &Each : Spec.rules())
    K.Rules.push_back(
        {Each.name(), {Each.features().begin(), Each.features().end()}});
  return K;
}

/// The value of an option in a session that was opened with \p Options.
static StringRef valueOf(StringRef Name, const proto::TaskSpec &Spec,
                         const proto::Open &Options) {
  for (const proto::Option &Given : reverse(Options.options()))
    if (Given.name() == Name)
      return Given.value();
  for (const proto::OptionSpec &Known : Spec.options())
    if (Known.name() == Name)
      return Known.default_value();
  return "";
}

/// Fails unless the session was opened with the options that a named policy
/// needs.
static Error checkOptions(StringRef Name, const proto::TaskSpec &Spec,
                          const proto::Open &Options) {
  using Needs = google::protobuf::RepeatedPtrField<proto::Option>;
  const Needs *Needed = nullptr;
  if (Name == "llvm")
    Needed = &Spec.heuristic().options();
  for (const proto::Rule &Each : Spec.rules())
    if (Name == Each.name())
      Needed = &Each.options();
  if (!Needed)
    return Error::success();
  for (const proto::Option &Each : *Needed)
    if (valueOf(Each.name(), Spec, Options) != Each.value())
      return refuse("the policy '" + Name + "' needs the option " +
                    Each.name() + "=" + Each.value());
  return Error::success();
}

Expected<std::unique_ptr<ResidentPolicy>>
ResidentPolicy::create(const proto::Play &Request, const proto::TaskSpec &Spec,
                       const proto::Open &Options, const FeatureLayout &Layout,
                       const ActionChecker &Checker) {
  policy::Policy Read;
  std::string Why;
  if (!policy::readPolicy(Request.policy(), Read, Why))
    return refuse(Why);
  if (!Read.Task.empty() && Read.Task != Options.task())
    return refuse("the policy decides " + Read.Task + ", and this session " +
                  Options.task());
  if (Error E = checkOptions(Read.Builtin, Spec, Options))
    return E;
  bool ReadsObserved = false;
  auto Find = [&](const std::string &Name, policy::Place &Found,
                  std::string &Missing) {
    auto Place = Layout.find(Name);
    if (!Place) {
      Missing = toString(Place.takeError());
      return false;
    }
    Found = {Place->Offset, Place->Elements};
    ReadsObserved |= Layout.isObserved(Place->Offset);
    return true;
  };
  if (const int Choices = Spec.action().choices_size();
      Choices && Read.Builtin.empty())
    return refuse("the policy decides one thing, and " + Spec.name() +
                  " asks for " + Twine(Choices) + " choices at once");
  SmallVector<size_t, 1> Counts = countValues(Spec.action());
  if (Counts.empty())
    Counts.push_back(0);
  Deciders Each;
  for (size_t Values : Counts) {
    Each.push_back(policy::Decider::create(Read, kindOf(Spec, Values),
                                           Request.has_seed(), Find, Why));
    if (!Each.back())
      return refuse(Why);
  }
  return std::unique_ptr<ResidentPolicy>(new ResidentPolicy(
      Request, std::move(Each), Layout, Checker, ReadsObserved));
}

/// How much room the lists of a record get in advance, so that they do not move
/// while they grow. Memory that is not filled is not touched.
static constexpr size_t DecisionsAhead = 1 << 12;
static constexpr size_t FeatureBytesAhead = 1 << 20;

ResidentPolicy::ResidentPolicy(const proto::Play &Request, Deciders Each,
                               const FeatureLayout &Layout,
                               const ActionChecker &Checker, bool ReadsObserved)
    : Each(std::move(Each)), Layout(Layout), Checker(Checker),
      RecordFeatures(Request.features()),
      LegalColumns(Request.legal_columns() && Layout.mask()),
      NeedsObserved(ReadsObserved || RecordFeatures) {
  if (Request.has_seed())
    Sample.emplace(Request.seed());
  if (Request.decisions())
    Left = Request.decisions();
  Action.resize(Checker.bytes());
  Record.mutable_actions()->reserve(DecisionsAhead * Action.size());
  Record.mutable_log_probabilities()->reserve(DecisionsAhead * sizeof(float));
  if (RecordFeatures) {
    Record.mutable_features()->reserve(FeatureBytesAhead);
    Record.mutable_legal()->reserve(FeatureBytesAhead);
  }
  if (LegalColumns)
    Record.mutable_columns()->reserve(FeatureBytesAhead);
}

void ResidentPolicy::appendObserved(const Observations &Observed) {
  for (const proto::Observation &Each : Observed) {
    const proto::Tensor &Tensor = Each.tensors(0);
    const std::string &Data = Tensor.data();
    if (Tensor.dtype() == proto::FLOAT32) {
      Floats += Data;
      continue;
    }
    for (size_t At = 0; At != Data.size(); At += sizeof(int64_t)) {
      const auto Value = static_cast<float>(
          static_cast<int64_t>(support::endian::read64le(Data.data() + At)));
      Floats.append(reinterpret_cast<const char *>(&Value), sizeof(Value));
    }
  }
}

StringRef ResidentPolicy::decide(const Tensors &Features,
                                 const Observations &Observed) {
  if (Left && (*Left)-- == 0)
    return "";
  // A message that is too large would be lost, and the client can go on from
  // here.
  if (Record.features().size() + Record.columns().size() >= MaxFrameBytes / 2)
    return "";
  Features.toFloats(Floats);
  appendObserved(Observed);
  const uint8_t *Mask = nullptr;
  if (Features.hasMask()) {
    Checker.writeLegal(Features, Legal);
    Mask = reinterpret_cast<const uint8_t *>(Legal.data());
  }
  double LogProbability = 0;
  if (const char *Why = choose(Mask, LogProbability)) {
    Record.set_stopped(Why);
    return "";
  }
  Record.mutable_actions()->append(Action);
  const float Rounded = static_cast<float>(LogProbability);
  Record.mutable_log_probabilities()->append(
      reinterpret_cast<const char *>(&Rounded), sizeof(Rounded));
  if (RecordFeatures)
    recordFeatures();
  return Action;
}

const char *ResidentPolicy::choose(const uint8_t *Mask,
                                   double &LogProbability) {
  char *To = Action.data();
  for (size_t I = 0; I != Each.size(); ++I) {
    policy::Decision Decision;
    if (const char *Why =
            Each[I]->decide(reinterpret_cast<const float *>(Floats.data()),
                            Mask, Sample ? &*Sample : nullptr, Decision))
      return Why;
    LogProbability += Decision.LogProbability;
    if (!Checker.isDiscrete()) {
      std::memcpy(To, &Decision.Value, sizeof(Decision.Value));
      return nullptr;
    }
    std::memcpy(To, &Decision.Action, sizeof(Decision.Action));
    To += sizeof(Decision.Action);
    if (Mask)
      Mask += Checker.valueCount(I);
  }
  return nullptr;
}

void ResidentPolicy::recordFeatures() {
  if (LegalColumns)
    Layout.split(Floats, Legal, *Record.mutable_columns(),
                 *Record.mutable_features());
  else
    Record.mutable_features()->append(Floats);
  Record.mutable_legal()->append(Legal);
}

void ResidentPolicy::keepMeasured(const Measurements &Values) {
  for (const proto::Measurement &Each : Values)
    Record.add_measured(Each.value());
}

void ResidentPolicy::takeRecord(proto::PlayReply &Reply) {
  if (Sample)
    Record.set_seed(Sample->state());
  Reply = std::move(Record);
}
