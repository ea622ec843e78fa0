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

/// Answers the questions of one of LLVM's advisors by a policy.
///
/// Contract: what evaluate() returns is an action of the task, legal where the
/// tensors say what is legal.
/// Failure mode: a policy that cannot decide, for a number that is not finite,
/// is complained of, and from there on what the heuristic does is the answer.
class PolicyRunner : public llvm::MLModelRunner {
public:
  /// What comes from outside the tensors of LLVM's advisor.
  class Source {
  public:
    virtual ~Source() = default;
    /// Writes the tensor of a feature that is not LLVM's.
    virtual void write(llvm::StringRef Feature, PolicyRunner &Asked,
                       void *To) = 0;
    /// The action of LLVM's heuristic.
    virtual float heuristic(PolicyRunner &Asked) = 0;
  };

  /// \p Theirs are the tensors of LLVM's advisor, all of which it writes.
  /// \p Mask names the one that says what is legal; it may be empty.
  PolicyRunner(llvm::LLVMContext &Context, const policy::Kind &K,
               llvm::ArrayRef<llvm::TensorSpec> Theirs,
               std::unique_ptr<FittedPolicy> Policy, Source &From,
               llvm::StringRef Mask = "");

  /// Whether an advisor has been made that asks this runner.
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
    /// Whether it is not LLVM's.
    bool IsOurs;
  };

  const policy::Kind &Kind;
  std::unique_ptr<FittedPolicy> Policy;
  Source &From;
  std::vector<Input> Inputs;
  /// Values of the tensors that are not LLVM's.
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
