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

/// Where a feature is among those of a decision, counted in elements.
struct Place {
  size_t Offset = 0;
  size_t Elements = 0;
};

/// Finds a feature by its name. Returns false, and says in \p Why that there is
/// none, otherwise.
using FeatureFinder = std::function<bool(const std::string &Name, Place &Found,
                                         std::string &Why)>;

/// What a policy decides, be it a model or a name.
///
/// Contract: what is created fits the kind of decision: its inputs are there,
/// and its actions are those that are asked for.
class Decider {
public:
  /// \p P has been checked (see readPolicy). \p Find is asked for each feature
  /// that it needs, in the order in which it needs them. Without \p HasSeed, a
  /// policy that draws its actions is refused. Returns null and says in \p Why
  /// what does not fit.
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
  /// Takes one action, or where it is not legal the first that is.
  static Function always(int64_t Action, const Kind &K);

  std::variant<Evaluator, Function> Decides;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_DECIDER_H
