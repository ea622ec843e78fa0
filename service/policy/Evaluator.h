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
  /// The action of a discrete head.
  int64_t Action = 0;
  /// The action of a scalar head, within its bounds.
  float Value = 0;
  /// The natural logarithm of the action's probability. For a scalar that is
  /// sampled, of its density, before it is brought within bounds. 0 for a
  /// scalar that is not sampled.
  double LogProbability = 0;
};

/// Evaluates a model, one decision at a time, with the same bits on every
/// machine.
///
/// It does not depend on LLVM, so that the service, the plugins and Python all
/// evaluate with this code. A decision allocates no memory.
class Evaluator {
public:
  /// \p M has been checked (see readPolicy). \p Offsets say where the elements
  /// of each input begin in the features of a decision. If there are none, one
  /// input follows the other.
  explicit Evaluator(Model M, std::vector<size_t> Offsets = {});

  const Model &model() const { return M; }

  /// Decides from \p Features. \p Legal has a byte for each action of a
  /// discrete head, which is not 0 if the action is legal; if \p Legal is null,
  /// all are. If \p Sample is null, the likeliest action is taken. Returns
  /// null, or a phrase that says why there is no decision.
  const char *decide(const float *Features, const uint8_t *Legal,
                     Random *Sample, Decision &D);

  /// Returns one number for each output of the function, valid until the next
  /// call.
  const double *outputs(const float *Features);

  /// How many actions a discrete head has; 0 for a scalar.
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
  /// The outputs of the function. A bernoulli head puts the logit 0 of action 0
  /// first.
  std::vector<double> Outputs;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_EVALUATOR_H
