//===- Library.cpp - The evaluator for other languages --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The functions that libmlcg-policy.so exports. Python calls them through
/// ctypes. A handle is for one thread at a time.
///
//===----------------------------------------------------------------------===//

#include "policy/Evaluator.h"
#include "policy/PolicyFile.h"
#include <cstdio>
#include <memory>

using namespace mlcompiler::policy;

#define EXPORTED extern "C" __attribute__((visibility("default")))

/// Reads the contents of a policy file. On success, *Handle is an evaluator
/// that the caller must destroy, or null for a named policy. Otherwise returns
/// false, and \p Why, which has \p WhySize bytes, says what is wrong.
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

/// How many actions a discrete head has; 0 for a scalar.
EXPORTED size_t mlcg_policy_actions(const Evaluator *Handle) {
  return Handle->actions();
}

/// Makes \p Count decisions. For each, \p Features has a row with the elements
/// of all inputs. \p Legal has a row with a byte for each action; if it is
/// null, all actions are legal. The number at \p State is the state of the
/// random numbers, and is advanced. If \p State is null, the likeliest actions
/// are taken. Fills \p Actions for a discrete head and \p Values for a scalar.
/// Returns null, or says why the first decision that failed did so.
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

/// Writes the outputs of the function for each of \p Count rows of \p Features.
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

/// The next number in 0 .. 1 (without 1). *State is advanced.
EXPORTED double mlcg_policy_uniform(uint64_t *State) {
  Random Numbers(*State);
  const double Drawn = Numbers.uniform();
  *State = Numbers.state();
  return Drawn;
}
