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

/// Whether a feature has an element, or a row of elements, for each action.
static bool hasColumns(const proto::TensorSpec &Feature, int64_t Actions) {
  const bool IsBatch = Feature.shape_size() > 1 && Feature.shape(0) == 1;
  return Actions && Feature.shape(IsBatch) == Actions;
}

FeatureLayout::FeatureLayout(const proto::TaskSpec &Spec,
                             const proto::Open &Options,
                             ArrayRef<proto::TensorSpec> Observed)
    : Task(Spec.name()) {
  const size_t Actions = Spec.action().meanings_size();
  size_t Known = 0; // Where the elements begin that are in no piece yet.
  for (const proto::TensorSpec &Feature : Spec.features()) {
    if (!isSent(Feature, Options)) {
      this->Options[Feature.name()] = Feature.option();
      continue;
    }
    const Place At = add(Feature);
    if (Feature.name() == Spec.action().mask())
      Mask = At;
    if (!hasColumns(Feature, Actions))
      continue;
    if (Known != At.Offset)
      Others.push_back({Known, At.Offset - Known});
    Columns.push_back({At.Offset, At.Elements / Actions});
    Known = Elements;
  }
  FeatureElements = Elements;
  for (const proto::TensorSpec &Tensor : Observed)
    add(Tensor);
  if (Known != Elements)
    Others.push_back({Known, Elements - Known});
}

FeatureLayout::Place FeatureLayout::add(const proto::TensorSpec &Tensor) {
  const size_t Count = tensorBytes(Tensor) / elementBytes(Tensor.dtype());
  if (Runs.empty() || Runs.back().Type != Tensor.dtype())
    Runs.push_back({Tensor.dtype(), 0});
  Runs.back().Count += Count;
  const Place At{Tensor.dtype(), Names.size(), Elements, Bytes, Count};
  Places[Tensor.name()] = At;
  Names.push_back(Tensor.name());
  Elements += Count;
  Bytes += tensorBytes(Tensor);
  return At;
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

void FeatureLayout::split(StringRef Floats, StringRef Legal,
                          std::string &Columns, std::string &Rest) const {
  auto Append = [Floats](std::string &To, size_t Offset, size_t Count) {
    To.append(Floats.data() + Offset * sizeof(float), Count * sizeof(float));
  };
  for (size_t Action = 0; Action != Legal.size(); ++Action)
    if (Legal[Action])
      for (const Piece &Each : this->Columns)
        Append(Columns, Each.Offset + Action * Each.Elements, Each.Elements);
  for (const Piece &Each : Others)
    Append(Rest, Each.Offset, Each.Elements);
}
