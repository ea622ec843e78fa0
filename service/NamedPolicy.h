//===- NamedPolicy.h - Policies that a task declares ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_NAMEDPOLICY_H
#define MLCOMPILER_GYM_SERVICE_NAMEDPOLICY_H

#include "FeatureLayout.h"
#include "policy/Evaluator.h"
#include <functional>

namespace mlcompiler {

/// A policy by name: what it answers follows from what the task says of itself.
class NamedPolicy {
public:
  /// Fails if the task has no policy of that name, if the session was not
  /// opened with what it needs, or if it draws its actions and \p HasSeed is
  /// false.
  static llvm::Expected<NamedPolicy> create(llvm::StringRef Name, bool HasSeed,
                                            const proto::TaskSpec &Spec,
                                            const proto::Open &Options,
                                            const FeatureLayout &Layout);

  /// See policy::Evaluator.
  const char *decide(const float *Features, const uint8_t *Legal,
                     policy::Random *Sample, policy::Decision &D) const {
    return Decide(Features, Legal, Sample, D);
  }

private:
  using Function = std::function<const char *(
      const float *, const uint8_t *, policy::Random *, policy::Decision &)>;

  explicit NamedPolicy(Function Decide) : Decide(std::move(Decide)) {}

  static NamedPolicy random(const proto::ActionSpec &Action);
  static llvm::Expected<NamedPolicy> heuristic(const proto::TaskSpec &Spec,
                                               const proto::Open &Options,
                                               const FeatureLayout &Layout);
  static llvm::Expected<NamedPolicy> rule(const proto::Rule &Rule,
                                          const proto::TaskSpec &Spec,
                                          const proto::Open &Options,
                                          const FeatureLayout &Layout);
  /// Takes one action, or where it is not legal the first that is.
  static NamedPolicy always(int64_t Action, size_t Actions);

  Function Decide;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_NAMEDPOLICY_H
