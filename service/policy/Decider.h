//===- Decider.h - A policy that fits what it decides -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_DECIDER_H
#define MLCOMPILER_GYM_SERVICE_POLICY_DECIDER_H

#include "policy/Evaluator.h"
#include "policy/Kind.h"
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace mlcompiler {
namespace policy {

/// Where a feature lies among the features of a decision, counted in elements.
struct Place {
  size_t Offset = 0;
  size_t Elements = 0;
};

/// Finds a feature by its name. If there is none, returns false and says so in
/// \p Why.
using FeatureFinder = std::function<bool(const std::string &Name, Place &Found,
                                         std::string &Why)>;

/// Decides by a policy, which is a model or a name.
///
/// Contract: a Decider that is created fits the kind of decision. All its
/// inputs exist, and its actions are the actions of the task.
class Decider {
public:
  /// \p P has been checked (see readPolicy). \p Find is called for each feature
  /// that the policy needs, in that order. Without \p HasSeed, a policy that
  /// draws its actions is refused. If the policy does not fit, returns null and
  /// says in \p Why what is wrong.
  static std::unique_ptr<Decider> create(Policy P, const Kind &K, bool HasSeed,
                                         const FeatureFinder &Find,
                                         std::string &Why);

  /// See Evaluator.
  const char *decide(const float *Features, const uint8_t *Legal,
                     Random *Sample, Decision &D) {
    if (auto *E = std::get_if<Evaluator>(&Decides))
      return E->decide(Features, Legal, Sample, D);
    return std::get<Function>(Decides)(Features, Legal, Sample, D);
  }

private:
  using Function = std::function<const char *(const float *, const uint8_t *,
                                              Random *, Decision &)>;

  template <typename T> explicit Decider(T D) : Decides(std::move(D)) {}

  static std::unique_ptr<Decider>
  evaluate(Model M, const Kind &K, const FeatureFinder &Find, std::string &Why);
  static Function byName(const std::string &Name, const Kind &K, bool HasSeed,
                         const FeatureFinder &Find, std::string &Why);
  static Function random(const Kind &K);
  static Function heuristic(const Kind &K, const FeatureFinder &Find,
                            std::string &Why);
  static Function rule(const Rule &R, const Kind &K, const FeatureFinder &Find,
                       std::string &Why);
  /// Always takes one action, or the first legal one where that is not legal.
  static Function always(int64_t Action, const Kind &K);

  std::variant<Evaluator, Function> Decides;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_DECIDER_H
