//===- Library.cpp - The evaluator for other languages --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What libmlcg-policy.so exports. Python calls it through ctypes. A handle is
/// for one thread at a time.
///
//===----------------------------------------------------------------------===//

#include "policy/Evaluator.h"
#include "policy/PolicyFile.h"
#include <cstdio>
#include <memory>

using namespace mlcompiler::policy;

#define EXPORTED extern "C" __attribute__((visibility("default")))

/// Reads the contents of a file. On success, *Handle is an evaluator to
/// destroy, or null for a policy by name. Otherwise returns false, and \p Why,
/// of
/// \p WhySize bytes, says what is wrong.
EXPORTED bool mlcg_policy_read(const char *File, size_t Size,
                               Evaluator **Handle, char *Why, size_t WhySize) {
  Policy P;
  std::string Reason;
  *Handle = nullptr;
  if (!readPolicy({File, Size}, P, Reason)) {
    std::snprintf(Why, WhySize, "%s", Reason.c_str());
    return false;
  }
  if (P.Builtin.empty())
    *Handle = new Evaluator(std::move(P.Model));
  return true;
}

EXPORTED void mlcg_policy_destroy(Evaluator *Handle) { delete Handle; }

/// Actions of a discrete head; 0 for a scalar.
EXPORTED size_t mlcg_policy_actions(const Evaluator *Handle) {
  return Handle->actions();
}

/// Decides \p Count times, one behind the other. \p Features has a row of all
/// inputs' elements for each, \p Legal (or null) a row of a byte for each
/// action. *State is that of the random numbers, and is moved on; null: the
/// likeliest actions are taken. Fills one of \p Actions and \p Values, as the
/// head has it. Returns null, or why the first decision that could not be made
/// was not.
EXPORTED const char *mlcg_policy_decide(Evaluator *Handle, size_t Count,
                                        const float *Features,
                                        const uint8_t *Legal, uint64_t *State,
                                        int64_t *Actions, float *Values,
                                        double *LogProbabilities) {
  size_t Elements = Handle->model().elements();
  size_t Width = Handle->actions();
  Random Sample(State ? *State : 0);
  for (size_t I = 0; I != Count; ++I) {
    Decision D;
    if (const char *Why = Handle->decide(Features + I * Elements,
                                         Legal ? Legal + I * Width : nullptr,
                                         State ? &Sample : nullptr, D))
      return Why;
    Actions[I] = D.Action;
    Values[I] = D.Value;
    LogProbabilities[I] = D.LogProbability;
  }
  if (State)
    *State = Sample.state();
  return nullptr;
}

/// What the function gives for each of \p Count rows of \p Features.
EXPORTED void mlcg_policy_outputs(Evaluator *Handle, size_t Count,
                                  const float *Features, double *Outputs) {
  size_t Elements = Handle->model().elements();
  size_t Width = Handle->model().outputs();
  for (size_t I = 0; I != Count; ++I) {
    const double *Given = Handle->outputs(Features + I * Elements);
    for (size_t J = 0; J != Width; ++J)
      Outputs[I * Width + J] = Given[J];
  }
}

/// The next number in 0 .. 1 (without 1); *State is moved on.
EXPORTED double mlcg_policy_uniform(uint64_t *State) {
  Random Numbers(*State);
  const double Drawn = Numbers.uniform();
  *State = Numbers.state();
  return Drawn;
}
