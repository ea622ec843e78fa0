//===- Decider.cpp - A policy that fits what it decides -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "policy/Decider.h"

using namespace mlcompiler::policy;

static bool isLegal(const uint8_t *Legal, int64_t Action) {
  return !Legal || Legal[Action];
}

/// Takes \p Action, or the first legal action if that is not legal.
static const char *take(int64_t Action, size_t Actions, const uint8_t *Legal,
                        Decision &D) {
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

Decider::Function Decider::always(int64_t Action, const Kind &K) {
  return [Action, Actions = K.Actions](const float *, const uint8_t *Legal,
                                       Random *, Decision &D) {
    return take(Action, Actions, Legal, D);
  };
}

Decider::Function Decider::random(const Kind &K) {
  if (!K.Actions)
    return [Low = K.Low, Width = K.High - K.Low](const float *, const uint8_t *,
                                                 Random *Sample, Decision &D) {
      D.Value = static_cast<float>(Low + Sample->uniform() * Width);
      D.LogProbability = -log1p(Width - 1);
      return static_cast<const char *>(nullptr);
    };
  return [Actions = K.Actions](const float *, const uint8_t *Legal,
                               Random *Sample, Decision &D) {
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
    D.LogProbability = -log1p(Count - 1.0);
    return static_cast<const char *>(nullptr);
  };
}

Decider::Function Decider::heuristic(const Kind &K, const FeatureFinder &Find,
                                     std::string &Why) {
  if (K.Heuristic->Feature.empty())
    return always(K.Heuristic->Action, K);
  Place Found;
  if (!Find(K.Heuristic->Feature, Found, Why))
    return nullptr;
  return [Offset = Found.Offset,
          Actions = K.Actions](const float *Features, const uint8_t *Legal,
                               Random *, Decision &D) -> const char * {
    D.Value = Features[Offset];
    D.LogProbability = 0;
    if (!Actions)
      return nullptr;
    return take(static_cast<int64_t>(D.Value), Actions, Legal, D);
  };
}

Decider::Function Decider::rule(const Rule &R, const Kind &K,
                                const FeatureFinder &Find, std::string &Why) {
  std::vector<size_t> Offsets;
  for (const std::string &Feature : R.Features) {
    Place Found;
    if (!Find(Feature, Found, Why))
      return nullptr;
    Offsets.push_back(Found.Offset);
  }
  return
      [Offsets = std::move(Offsets), Inactive = *K.Inactive, Active = *K.Active,
       Actions = K.Actions](const float *Features, const uint8_t *Legal,
                            Random *, Decision &D) {
        bool Applies = false;
        for (size_t Offset : Offsets)
          Applies |= Features[Offset] != 0;
        return take(Applies ? Active : Inactive, Actions, Legal, D);
      };
}

Decider::Function Decider::byName(const std::string &Name, const Kind &K,
                                  bool HasSeed, const FeatureFinder &Find,
                                  std::string &Why) {
  std::string Known = "random";
  if (Name == "random") {
    if (HasSeed)
      return random(K);
    Why = "the policy 'random' draws its actions, and needs a seed";
    return nullptr;
  }
  if (K.Heuristic) {
    if (Name == "llvm")
      return heuristic(K, Find, Why);
    Known += ", llvm";
  }
  if (K.Inactive) {
    if (Name == "inactive")
      return always(*K.Inactive, K);
    Known += ", inactive";
  }
  if (K.Active) {
    if (Name == "always")
      return always(*K.Active, K);
    Known += ", always";
  }
  for (const Rule &R : K.Rules) {
    if (Name == R.Name)
      return rule(R, K, Find, Why);
    Known += ", " + R.Name;
  }
  Why = K.Task + " has no policy '" + Name + "'; it has " + Known;
  return nullptr;
}

static std::string sayActions(size_t Actions) {
  return Actions ? "one of " + std::to_string(Actions) + " actions"
                 : std::string("a number");
}

static bool checkHead(const Model &M, const Kind &K, std::string &Why) {
  const bool IsScalar = M.Decides == Head::Scalar;
  const size_t Decided = IsScalar                       ? 0
                         : M.Decides == Head::Bernoulli ? 2
                                                        : M.outputs();
  if (Decided != K.Actions) {
    Why = "the policy decides " + sayActions(Decided) + ", and " + K.Task +
          " asks for " + sayActions(K.Actions);
    return false;
  }
  if (IsScalar && (M.Low < K.Low || M.High > K.High)) {
    Why = "the policy's numbers go beyond the bounds of " + K.Task;
    return false;
  }
  return true;
}

std::unique_ptr<Decider> Decider::evaluate(Model M, const Kind &K,
                                           const FeatureFinder &Find,
                                           std::string &Why) {
  if (!checkHead(M, K, Why))
    return nullptr;
  std::vector<size_t> Offsets;
  for (const Input &I : M.Inputs) {
    Place Found;
    if (!Find(I.Feature, Found, Why))
      return nullptr;
    if (Found.Elements != I.Elements) {
      Why = "the policy's '" + I.Feature + "' has " +
            std::to_string(I.Elements) + " elements, and the feature has " +
            std::to_string(Found.Elements);
      return nullptr;
    }
    Offsets.push_back(Found.Offset);
  }
  return std::unique_ptr<Decider>(
      new Decider(Evaluator(std::move(M), std::move(Offsets))));
}

std::unique_ptr<Decider> Decider::create(Policy P, const Kind &K, bool HasSeed,
                                         const FeatureFinder &Find,
                                         std::string &Why) {
  if (P.Builtin.empty())
    return evaluate(std::move(P.Model), K, Find, Why);
  if (Function F = byName(P.Builtin, K, HasSeed, Find, Why))
    return std::unique_ptr<Decider>(new Decider(std::move(F)));
  return nullptr;
}
