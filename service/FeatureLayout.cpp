//===- FeatureLayout.cpp - Where each feature of a decision is ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "FeatureLayout.h"
#include "Failure.h"
#include "TensorSpecs.h"
#include <cstring>

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
    size_t Elements = tensorBytes(Feature) / elementBytes(Feature.dtype());
    if (Runs.empty() || Runs.back().Type != Feature.dtype())
      Runs.push_back({Feature.dtype(), 0});
    Runs.back().Count += Elements;
    Places[Feature.name()] = {Count, Elements};
    Count += Elements;
  }
}

Expected<FeatureLayout::Place> FeatureLayout::find(StringRef Name) const {
  if (auto Found = Places.find(Name); Found != Places.end())
    return Found->second;
  auto Option = Options.find(Name);
  if (Option == Options.end())
    return fail(proto::INVALID_ARGUMENT,
                "'" + Name + "' is no feature of " + Task);
  return fail(proto::INVALID_ARGUMENT, "'" + Name +
                                           "' is sent with the option " +
                                           Option->second + "=true alone");
}

void FeatureLayout::toFloats(StringRef Features, std::string &Out) const {
  Out.resize(Count * sizeof(float));
  const char *From = Features.data();
  char *To = Out.data();
  for (const Run &Each : Runs) {
    size_t Bytes = Each.Count * sizeof(float);
    if (Each.Type == proto::FLOAT32) {
      std::memcpy(To, From, Bytes);
    } else {
      for (size_t I = 0; I != Each.Count; ++I) {
        int64_t Integer;
        std::memcpy(&Integer, From + I * sizeof(Integer), sizeof(Integer));
        float Value = static_cast<float>(Integer);
        std::memcpy(To + I * sizeof(Value), &Value, sizeof(Value));
      }
    }
    From += Each.Count * elementBytes(Each.Type);
    To += Bytes;
  }
}
