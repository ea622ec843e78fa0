//===- ObservationSource.cpp - Observations by name -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"
#include "CrashReport.h"
#include "RegistryLookup.h"

using namespace llvm;
using namespace mlcompiler;

static constexpr std::pair<StringLiteral, Scope> Scopes[] = {
    {"module", Scope::Module},
    {"function", Scope::Function},
    {"loop", Scope::Loop},
    {"callsite", Scope::CallSite}};

void TextSource::describe(proto::ObservationSpec &Spec) const {
  Spec.set_media(isJSON() ? "json" : "text");
  Spec.set_at_decision_only(needsDecision());
}

Error TextSource::observe(const ObservationContext &Context,
                          proto::Observation &Out) {
  Out.set_text(json::fixUTF8(text(Context)));
  return Error::success();
}

proto::ObservationSpec
mlcompiler::describeObservation(const ObservationRegistry::entry &Entry) {
  proto::ObservationSpec Spec;
  Spec.set_name(Entry.getName().str());
  Spec.set_doc(Entry.getDesc().str());
  Entry.instantiate()->describe(Spec);
  if (Spec.scopes().empty())
    Spec.add_scopes("module");
  return Spec;
}

Expected<ObservationSet::Wanted> ObservationSet::find(StringRef Name) {
  auto [Bare, ScopeName] = Name.split('@');
  auto Entry = lookUp<ObservationRegistry>("observation", Bare);
  if (!Entry)
    return Entry.takeError();
  Named &Found = Known[Bare];
  if (!Found.Source) {
    Found.Source = (*Entry)->instantiate();
    Found.Spec = describeObservation(**Entry);
  }
  if (Bare.size() == Name.size())
    return Wanted{&Found, Scope::Module};
  for (const auto &[Text, In] : Scopes)
    if (ScopeName == Text && is_contained(Found.Spec.scopes(), Text))
      return Wanted{&Found, In};
  return fail(proto::INVALID_ARGUMENT,
              "observation '" + Bare + "' is not of a '" + ScopeName +
                  "'; it is of: " + join(Found.Spec.scopes(), ", "));
}

Error ObservationSet::check(const Names &Names) {
  for (const std::string &Name : Names)
    if (auto Found = find(Name); !Found)
      return Found.takeError();
  return Error::success();
}

SmallVector<proto::TensorSpec, 0> ObservationSet::tensors(const Names &Names) {
  SmallVector<proto::TensorSpec, 0> Fixed;
  for (const std::string &Name : Names) {
    auto Found = find(Name);
    if (!Found) {
      consumeError(Found.takeError());
      continue;
    }
    const proto::ObservationSpec &Spec = Found->Of->Spec;
    if (Found->In != Scope::Module || Spec.tensors_size() != 1 ||
        is_contained(Spec.tensors(0).shape(), -1))
      continue;
    Fixed.push_back(Spec.tensors(0));
    Fixed.back().set_name(Name);
  }
  return Fixed;
}

Error ObservationSet::observe(
    ObservationContext Context, const Names &Names, bool Strict,
    google::protobuf::RepeatedPtrField<proto::Observation> &Out) {
  for (const std::string &Name : Names) {
    auto Found = find(Name);
    if (!Found)
      return Found.takeError();
    if (Found->Of->Spec.at_decision_only() && !Context.Stopped) {
      if (!Strict)
        continue;
      return fail(proto::FAILED_PRECONDITION,
                  "observation '" + Name +
                      "' exists only while the compiler is stopped at a "
                      "decision");
    }
    crash::Activity Observing(("observing " + Name).c_str());
    proto::Observation &Observation = *Out.Add();
    Observation.set_name(Name);
    Context.Of = Found->In;
    if (Error E = Found->Of->Source->observe(Context, Observation))
      return E;
  }
  return Error::success();
}
