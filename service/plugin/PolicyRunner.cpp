//===- PolicyRunner.cpp - Answers LLVM's advisors by a policy -------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "PolicyRunner.h"
#include "FiniteFeatures.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace mlcompiler;

PolicyRunner::PolicyRunner(LLVMContext &Context, const policy::Kind &K,
                           ArrayRef<TensorSpec> Theirs,
                           std::unique_ptr<FittedPolicy> Fitted, Source &From,
                           StringRef MaskName)
    : MLModelRunner(Context, Kind::Release, Theirs.size()), Kind(K),
      Policy(std::move(Fitted)), From(From), Sample(Policies::get().seed()) {
  for (auto [I, Spec] : enumerate(Theirs)) {
    setUpBufferForTensor(I, Spec, nullptr);
    if (Spec.name() == MaskName)
      Mask = getTensor<int64_t>(I);
  }
  if (Mask)
    Legal.resize(K.Actions);
  size_t Elements = 0;
  for (const TensorSpec &Spec : Policy->Features) {
    const auto *Found = find_if(Theirs, [&](const TensorSpec &Each) {
      return Each.name() == Spec.name();
    });
    const bool IsOurs = Found == Theirs.end();
    void *Tensor = nullptr;
    if (IsOurs)
      // No element has more than 8 bytes.
      Tensor = Ours.emplace_back(Spec.getElementCount()).data();
    else
      Tensor = getTensorUntyped(Found - Theirs.begin());
    Inputs.push_back({Spec.name(), Tensor, Spec.getElementCount(),
                      Spec.isElementType<float>(), IsOurs});
    Elements += Spec.getElementCount();
  }
  Floats.resize(Elements);
}

const char *PolicyRunner::decide(policy::Decision &D) {
  float *To = Floats.data();
  for (const Input &Each : Inputs) {
    if (Each.IsOurs)
      From.write(Each.Name, *this, Each.Tensor);
    if (Each.IsFloat) {
      const auto *Values = static_cast<const float *>(Each.Tensor);
      for (size_t I = 0; I != Each.Elements; ++I)
        *To++ = finiteFeature(Values[I]);
    } else {
      const auto *Values = static_cast<const int64_t *>(Each.Tensor);
      for (size_t I = 0; I != Each.Elements; ++I)
        *To++ = static_cast<float>(Values[I]);
    }
  }
  for (size_t A = 0; A != Legal.size(); ++A)
    Legal[A] = Mask[A] != 0;
  return Policy->Decides->decide(Floats.data(), Mask ? Legal.data() : nullptr,
                                 Policy->IsDrawn ? &Sample : nullptr, D);
}

void *PolicyRunner::evaluateUntyped() {
  policy::Decision D;
  if (!IsBroken) {
    if (const char *Why = decide(D)) {
      IsBroken = true;
      Policies::get().complain(Policy->Name, Why);
      Policies::get().report(Ctx);
    }
  }
  if (IsBroken) {
    D.Value = From.heuristic(*this);
    D.Action = static_cast<int64_t>(D.Value);
  }
  Action = D.Action;
  Value = D.Value;
  if (Kind.Actions)
    return &Action;
  return &Value;
}
