//===- Evaluator.cpp - What a policy decides ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "policy/Evaluator.h"
#include <algorithm>
#include <cfloat>

using namespace mlcompiler::policy;

Evaluator::Evaluator(Model Checked, std::vector<size_t> Where)
    : M(std::move(Checked)), Offsets(std::move(Where)) {
  if (Offsets.empty()) {
    size_t Next = 0;
    for (const Input &I : M.Inputs) {
      Offsets.push_back(Next);
      Next += I.Elements;
    }
  }
  Inputs.resize(M.elements());
  size_t Widest = Inputs.size();
  for (const Dense &L : M.Layers)
    Widest = std::max(Widest, L.Outputs);
  NonZero.resize(Widest);
  if (M.Computes == Function::Network)
    for (std::vector<float> &Layer : Layers)
      Layer.resize(Widest);
  Outputs.resize(M.outputs() + (M.Decides == Head::Bernoulli));
}

size_t Evaluator::actions() const {
  return M.Decides == Head::Scalar ? 0 : Outputs.size();
}

static void apply(const Transform &T, float *Values, size_t Count) {
  switch (T.K) {
  case Transform::Kind::None:
    break;
  case Transform::Kind::SignedLog:
    for (size_t I = 0; I != Count; ++I)
      Values[I] = withSign(log1p(absolute(Values[I])), Values[I]);
    break;
  case Transform::Kind::Scale: {
    const double *Shift = T.Shift.data();
    const double *Factor = T.Factor.data();
    size_t ShiftStep = T.Shift.size() == 1 ? 0 : 1;
    size_t FactorStep = T.Factor.size() == 1 ? 0 : 1;
    for (size_t I = 0; I != Count; ++I)
      Values[I] = static_cast<float>((Values[I] - Shift[I * ShiftStep]) *
                                     Factor[I * FactorStep]);
    break;
  }
  case Transform::Kind::Clip:
    for (size_t I = 0; I != Count; ++I)
      Values[I] = clip(Values[I], T.Low, T.High);
    break;
  }
}

void Evaluator::readInputs(const float *Features) {
  float *To = Inputs.data();
  for (size_t I = 0; I != M.Inputs.size(); ++I) {
    size_t Count = M.Inputs[I].Elements;
    const float *From = Features + Offsets[I];
    for (size_t J = 0; J != Count; ++J) {
      float Value = From[J] == From[J] ? From[J] : 0.0f;
      To[J] = clip(Value, -FLT_MAX, FLT_MAX);
    }
    for (const Transform &T : M.Inputs[I].Transforms)
      apply(T, To, Count);
    To += Count;
  }
}

/// Adds rows of weights to the outputs. The inner loop is over outputs, which
/// do not depend on each other. So it becomes vector code, and still adds in
/// the order that policy.proto fixes. It takes four inputs at a time to load
/// and store outputs less often.
static void addRows(const Dense &L, const float *__restrict In,
                    const uint32_t *__restrict NonZero, size_t Count,
                    float *__restrict Out) {
  const float *Weights = L.Weights.data();
  size_t Width = L.Outputs;
  size_t I = 0;
  for (; I + 4 <= Count; I += 4) {
    const float *R0 = Weights + NonZero[I] * Width;
    const float *R1 = Weights + NonZero[I + 1] * Width;
    const float *R2 = Weights + NonZero[I + 2] * Width;
    const float *R3 = Weights + NonZero[I + 3] * Width;
    float X0 = In[NonZero[I]], X1 = In[NonZero[I + 1]];
    float X2 = In[NonZero[I + 2]], X3 = In[NonZero[I + 3]];
    for (size_t J = 0; J != Width; ++J)
      Out[J] = (((Out[J] + X0 * R0[J]) + X1 * R1[J]) + X2 * R2[J]) + X3 * R3[J];
  }
  for (; I != Count; ++I) {
    const float *Row = Weights + NonZero[I] * Width;
    float X = In[NonZero[I]];
    for (size_t J = 0; J != Width; ++J)
      Out[J] += X * Row[J];
  }
}

const float *Evaluator::applyNetwork() {
  const float *In = Inputs.data();
  size_t Width = Inputs.size();
  for (size_t I = 0; I != M.Layers.size(); ++I) {
    const Dense &L = M.Layers[I];
    float *Out = Layers[I % 2].data();
    size_t Count = 0;
    for (size_t J = 0; J != Width; ++J) {
      NonZero[Count] = static_cast<uint32_t>(J);
      Count += In[J] != 0;
    }
    std::copy(L.Biases.begin(), L.Biases.end(), Out);
    addRows(L, In, NonZero.data(), Count, Out);
    Width = L.Outputs;
    if (L.Function == Activation::Relu)
      for (size_t J = 0; J != Width; ++J)
        Out[J] = Out[J] > 0 ? Out[J] : 0.0f;
    else if (L.Function == Activation::Tanh)
      for (size_t J = 0; J != Width; ++J)
        Out[J] = policy::tanh(Out[J]);
    In = Out;
  }
  return In;
}

void Evaluator::applyTrees() {
  double *To = Outputs.data() + (Outputs.size() - M.Base.size());
  std::copy(M.Base.begin(), M.Base.end(), To);
  for (const Tree &T : M.Trees) {
    const Node *Nodes = T.Nodes.data();
    const Node *N = Nodes;
    while (N->Left)
      N = Nodes + (Inputs[N->Input] <= N->Threshold ? N->Left : N->Right);
    To[T.Output] += N->Value;
  }
}

const double *Evaluator::outputs(const float *Features) {
  readInputs(Features);
  size_t First = Outputs.size() - M.outputs();
  if (M.Computes == Function::Trees) {
    applyTrees();
  } else {
    const float *From = applyNetwork();
    std::copy(From, From + M.outputs(), Outputs.data() + First);
  }
  return Outputs.data() + First;
}

const char *Evaluator::decide(const float *Features, const uint8_t *Legal,
                              Random *Sample, Decision &D) {
  const double *Given = outputs(Features);
  for (size_t I = 0; I != M.outputs(); ++I)
    if (!(Given[I] - Given[I] == 0))
      return "an output of the policy is not a finite number";
  if (M.Decides != Head::Scalar)
    return decideDiscrete(Legal, Sample, D);
  decideScalar(Sample, D);
  return nullptr;
}

const char *Evaluator::decideDiscrete(const uint8_t *Legal, Random *Sample,
                                      Decision &D) {
  size_t Count = Outputs.size();
  size_t Best = Count;
  for (size_t A = 0; A != Count; ++A)
    if ((!Legal || Legal[A]) && (Best == Count || Outputs[A] > Outputs[Best]))
      Best = A;
  if (Best == Count)
    return "no action is legal";
  double Highest = Outputs[Best];
  double Sum = 0;
  for (size_t A = 0; A != Count; ++A)
    if (!Legal || Legal[A])
      Sum += policy::exp(Outputs[A] - Highest);
  size_t Taken = Best;
  if (Sample) {
    double Left = Sample->uniform() * Sum;
    for (size_t A = 0; A != Count; ++A) {
      if (Legal && !Legal[A])
        continue;
      double Weight = policy::exp(Outputs[A] - Highest);
      // Because of rounding, the loop may end without an action; the best one
      // is then taken.
      if (Left < Weight) {
        Taken = A;
        break;
      }
      Left -= Weight;
    }
  }
  D.Action = static_cast<int64_t>(Taken);
  // The sum contains a 1, which is the best action's term.
  D.LogProbability = Outputs[Taken] - Highest - policy::log1p(Sum - 1);
  return nullptr;
}

void Evaluator::decideScalar(Random *Sample, Decision &D) {
  // log(2 pi) / 2.
  constexpr double Normalizer = 0x1.d67f1c864beb5p-1;
  double Value = Outputs[0];
  D.LogProbability = 0;
  if (M.HasDeviation) {
    double Z = Sample ? Sample->normal() : 0.0;
    Value += policy::exp(double(M.LogDeviation)) * Z;
    D.LogProbability = -Z * Z / 2 - M.LogDeviation - Normalizer;
  }
  D.Value = static_cast<float>(clip(Value, double(M.Low), double(M.High)));
}
