//===- Evaluator.h - What a policy decides ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_EVALUATOR_H
#define MLCOMPILER_GYM_SERVICE_POLICY_EVALUATOR_H

#include "policy/Model.h"
#include "policy/Random.h"

namespace mlcompiler {
namespace policy {

struct Decision {
  /// What a discrete head says.
  int64_t Action = 0;
  /// What a scalar head says, within its bounds.
  float Value = 0;
  /// The natural logarithm of the action's probability; of the density of a
  /// scalar that is sampled, before it is brought within bounds; 0 of one that
  /// is not.
  double LogProbability = 0;
};

/// What a model decides, one decision at a time, the same bits on every
/// machine.
///
/// It knows nothing of LLVM: the service, the plugins and Python evaluate with
/// this very code. Nothing is allocated for a decision.
class Evaluator {
public:
  /// \p M has been checked (see readPolicy). \p Offsets say where the elements
  /// of each input begin among those of a decision; none: one input comes
  /// behind the other.
  explicit Evaluator(Model M, std::vector<size_t> Offsets = {});

  const Model &model() const { return M; }

  /// Decides from \p Features. \p Legal has a byte for each action of a
  /// discrete head, not 0 where one is legal; null: all are. With \p Sample
  /// null, the likeliest action is taken. Returns null, or why there is no
  /// decision: a phrase.
  const char *decide(const float *Features, const uint8_t *Legal,
                     Random *Sample, Decision &D);

  /// What the function gives, one number for each of its outputs, valid until
  /// the next call.
  const double *outputs(const float *Features);

  /// Actions of a discrete head; 0 for a scalar.
  size_t actions() const;

private:
  void readInputs(const float *Features);
  const float *applyNetwork();
  void applyTrees();
  const char *decideDiscrete(const uint8_t *Legal, Random *Sample, Decision &D);
  void decideScalar(Random *Sample, Decision &D);

  Model M;
  std::vector<size_t> Offsets;
  std::vector<float> Inputs;
  std::vector<float> Layers[2];
  std::vector<uint32_t> NonZero;
  /// Those of the function; a bernoulli head puts the logit 0 of action 0
  /// first.
  std::vector<double> Outputs;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_EVALUATOR_H
