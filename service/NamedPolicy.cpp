//===- NamedPolicy.cpp - Policies that a task declares --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "NamedPolicy.h"
#include "Failure.h"
#include "TensorSpecs.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace mlcompiler;

static Error refuse(const Twine &Why) {
  return fail(proto::INVALID_ARGUMENT, Why);
}

/// What a session that was opened so has for an option.
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

static Error
checkOptions(StringRef Policy,
             const google::protobuf::RepeatedPtrField<proto::Option> &Needed,
             const proto::TaskSpec &Spec, const proto::Open &Options) {
  for (const proto::Option &Each : Needed)
    if (valueOf(Each.name(), Spec, Options) != Each.value())
      return refuse("the policy '" + Policy + "' needs the option " +
                    Each.name() + "=" + Each.value());
  return Error::success();
}

static bool isLegal(const uint8_t *Legal, int64_t Action) {
  return !Legal || Legal[Action];
}

/// \p Action, or the first that is legal.
static const char *take(int64_t Action, size_t Actions, const uint8_t *Legal,
                        policy::Decision &D) {
  if (!isLegal(Legal, Action)) {
    Action = 0;
    while (Action != int64_t(Actions) && !Legal[Action])
      ++Action;
    if (Action == int64_t(Actions))
      return "no action is legal";
  }
  D.Action = Action;
  D.LogProbability = 0;
  return nullptr;
}

NamedPolicy NamedPolicy::always(int64_t Action, size_t Actions) {
  return NamedPolicy(
      [=](const float *, const uint8_t *Legal, policy::Random *,
          policy::Decision &D) { return take(Action, Actions, Legal, D); });
}

NamedPolicy NamedPolicy::random(const proto::ActionSpec &Action) {
  const size_t Actions = Action.meanings_size();
  if (!Actions)
    return NamedPolicy([Low = Action.tensor().low(),
                        Width = Action.tensor().high() - Action.tensor().low()](
                           const float *, const uint8_t *,
                           policy::Random *Sample, policy::Decision &D) {
      D.Value = static_cast<float>(Low + Sample->uniform() * Width);
      D.LogProbability = -policy::log1p(Width - 1);
      return static_cast<const char *>(nullptr);
    });
  return NamedPolicy([Actions](const float *, const uint8_t *Legal,
                               policy::Random *Sample, policy::Decision &D) {
    size_t Count = 0;
    for (size_t A = 0; A != Actions; ++A)
      Count += isLegal(Legal, A);
    if (!Count)
      return "no action is legal";
    uint64_t Left = Sample->below(Count);
    size_t A = 0;
    while (!isLegal(Legal, A) || Left--)
      ++A;
    D.Action = A;
    D.LogProbability = -policy::log1p(Count - 1.0);
    return static_cast<const char *>(nullptr);
  });
}

Expected<NamedPolicy> NamedPolicy::heuristic(const proto::TaskSpec &Spec,
                                             const proto::Open &Options,
                                             const FeatureLayout &Layout) {
  const proto::Heuristic &Heuristic = Spec.heuristic();
  if (Error E = checkOptions("llvm", Heuristic.options(), Spec, Options))
    return E;
  const size_t Actions = Spec.action().meanings_size();
  if (Heuristic.feature().empty())
    return always(Heuristic.action(), Actions);
  auto Place = Layout.find(Heuristic.feature());
  if (!Place)
    return Place.takeError();
  return NamedPolicy([Offset = Place->Offset,
                      Actions](const float *Features, const uint8_t *Legal,
                               policy::Random *, policy::Decision &D) {
    D.Value = Features[Offset];
    return take(static_cast<int64_t>(D.Value), Actions, Legal, D);
  });
}

Expected<NamedPolicy> NamedPolicy::rule(const proto::Rule &Rule,
                                        const proto::TaskSpec &Spec,
                                        const proto::Open &Options,
                                        const FeatureLayout &Layout) {
  if (Error E = checkOptions(Rule.name(), Rule.options(), Spec, Options))
    return E;
  std::vector<size_t> Offsets;
  for (const std::string &Feature : Rule.features()) {
    auto Place = Layout.find(Feature);
    if (!Place)
      return Place.takeError();
    Offsets.push_back(Place->Offset);
  }
  return NamedPolicy([Offsets = std::move(Offsets),
                      Inactive = Spec.inactive_action(),
                      Active = Spec.active_action(),
                      Actions = size_t(Spec.action().meanings_size())](
                         const float *Features, const uint8_t *Legal,
                         policy::Random *, policy::Decision &D) {
    const bool Applies =
        any_of(Offsets, [&](size_t Offset) { return Features[Offset] != 0; });
    return take(Applies ? Active : Inactive, Actions, Legal, D);
  });
}

Expected<NamedPolicy> NamedPolicy::create(StringRef Name, bool HasSeed,
                                          const proto::TaskSpec &Spec,
                                          const proto::Open &Options,
                                          const FeatureLayout &Layout) {
  const size_t Actions = Spec.action().meanings_size();
  std::string Known = "random";
  if (Name == "random") {
    if (!HasSeed)
      return refuse("the policy 'random' draws its actions, and needs a seed");
    return random(Spec.action());
  }
  if (Spec.has_heuristic()) {
    if (Name == "llvm")
      return heuristic(Spec, Options, Layout);
    Known += ", llvm";
  }
  if (Spec.has_inactive_action()) {
    if (Name == "inactive")
      return always(Spec.inactive_action(), Actions);
    Known += ", inactive";
  }
  if (Spec.has_active_action()) {
    if (Name == "always")
      return always(Spec.active_action(), Actions);
    Known += ", always";
  }
  for (const proto::Rule &Rule : Spec.rules()) {
    if (Name == Rule.name())
      return rule(Rule, Spec, Options, Layout);
    Known += ", " + Rule.name();
  }
  return refuse(Spec.name() + " has no policy '" + Name + "'; it has " + Known);
}
