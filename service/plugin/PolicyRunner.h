//===- PolicyRunner.h - Answers LLVM's advisors by a policy -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PLUGIN_POLICYRUNNER_H
#define MLCOMPILER_GYM_SERVICE_PLUGIN_POLICYRUNNER_H

#include "Policies.h"
#include "llvm/Analysis/MLModelRunner.h"
#include <optional>

namespace mlcompiler {

/// Lets a policy answer one of LLVM's advisors.
///
/// Contract: evaluate() returns an action of the task, which is legal if the
/// tensors say what is legal.
/// Failure mode: if the policy's numbers overflow, there is a complaint, and
/// from then on LLVM's heuristic answers.
class PolicyRunner : public llvm::MLModelRunner {
public:
  /// Provides what is not in the tensors of LLVM's advisor.
  class Source {
  public:
    virtual ~Source() = default;
    /// Writes the tensor of a feature that LLVM does not have.
    virtual void write(llvm::StringRef Feature, PolicyRunner &Asked,
                       void *To) = 0;
    /// The action of LLVM's heuristic.
    virtual float heuristic(PolicyRunner &Asked) = 0;
  };

  /// \p Theirs are the tensors of LLVM's advisor, which writes all of them.
  /// \p Mask names the tensor that says what is legal; it may be empty.
  PolicyRunner(llvm::LLVMContext &Context, const policy::Kind &K,
               llvm::ArrayRef<llvm::TensorSpec> Theirs,
               std::unique_ptr<FittedPolicy> Policy, Source &From,
               llvm::StringRef Mask = "");

  /// Whether an advisor exists that asks this runner.
  bool hasAdvisor() const { return HasAdvisor; }

  const int64_t *mask() const { return Mask; }

private:
  void *evaluateUntyped() override;
  void switchContext(llvm::StringRef) override { HasAdvisor = true; }
  const char *decide(policy::Decision &D);

  /// An input of the policy.
  struct Input {
    std::string Name;
    void *Tensor;
    size_t Elements;
    bool IsFloat;
    /// Whether LLVM does not have it.
    bool IsOurs;
  };

  const policy::Kind &Kind;
  std::unique_ptr<FittedPolicy> Policy;
  Source &From;
  std::vector<Input> Inputs;
  /// The values of the tensors that LLVM does not have.
  std::vector<std::vector<int64_t>> Ours;
  std::vector<float> Floats;
  const int64_t *Mask = nullptr;
  std::vector<uint8_t> Legal;
  policy::Random Sample;
  bool IsBroken = false;
  bool HasAdvisor = false;
  int64_t Action = 0;
  float Value = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PLUGIN_POLICYRUNNER_H
