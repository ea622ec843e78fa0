//===- FeatureLayout.cpp - Where each feature of a decision is ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "FeatureLayout.h"
#include "Failure.h"
#include "TensorSpecs.h"

using namespace llvm;
using namespace mlcompiler;

FeatureLayout::FeatureLayout(const proto::TaskSpec &Spec,
                             const proto::Open &Options)
    : Task(Spec.name()) {
  for (const proto::TensorSpec &Feature : Spec.features()) {
    if (!isSent(Feature, Options)) {
      this->Options[Feature.name()] = Feature.option();
      continue;
    }
    const size_t Count = tensorBytes(Feature) / elementBytes(Feature.dtype());
    if (Runs.empty() || Runs.back().Type != Feature.dtype())
      Runs.push_back({Feature.dtype(), 0});
    Runs.back().Count += Count;
    const Place At{Feature.dtype(), Names.size(), Elements, Bytes, Count};
    Places[Feature.name()] = At;
    if (Feature.name() == Spec.action().mask())
      Mask = At;
    Names.push_back(Feature.name());
    Elements += Count;
    Bytes += tensorBytes(Feature);
  }
}

const FeatureLayout::Place *FeatureLayout::lookUp(StringRef Name) const {
  auto Found = Places.find(Name);
  return Found == Places.end() ? nullptr : &Found->second;
}

Expected<FeatureLayout::Place> FeatureLayout::find(StringRef Name) const {
  if (const Place *Found = lookUp(Name))
    return *Found;
  auto Option = Options.find(Name);
  if (Option == Options.end())
    return fail(proto::INVALID_ARGUMENT,
                "'" + Name + "' is no feature of " + Task);
  return fail(proto::INVALID_ARGUMENT, "'" + Name +
                                           "' is sent with the option " +
                                           Option->second + "=true alone");
}
