//===- CallSiteAdvisor.h - Who asks whether to inline -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_CALLSITEADVISOR_H
#define MLCOMPILER_GYM_SERVICE_TASKS_CALLSITEADVISOR_H

#include "InliningLinkage.h"
#include "policy/Kind.h"
#include "llvm/Analysis/InlineAdvisor.h"
#include "llvm/Analysis/MLInlineAdvisor.h"

namespace mlcompiler {

/// Options of the task. The last is -ml-advisor-size-increase-threshold.
constexpr const char *BodiesName = "bodies";
constexpr const char *LinkageName = "linkage";
constexpr const char *SizeIncreaseThresholdName = "size_increase_threshold";
/// The default of the threshold. LLVM's own is 2, which its heuristic does not
/// keep to.
constexpr double DefaultSizeIncreaseThreshold = 100;
constexpr double LargestSizeIncreaseThreshold = 1e9;

const policy::Kind &inliningKind();

/// LLVM's advisor, which also remembers the call site that it asks about, and
/// can tell what the heuristic would decide there. (LLVM itself can show that
/// only to a runner that talks to named pipes.)
class CallSiteAdvisor : public llvm::MLInlineAdvisor {
public:
  using RunnerFactory = std::function<std::unique_ptr<llvm::MLModelRunner>(
      const std::vector<llvm::TensorSpec> &)>;

  CallSiteAdvisor(llvm::Module &M, llvm::ModuleAnalysisManager &MAM,
                  llvm::FunctionAnalysisManager &FAM, llvm::InlineParams Params,
                  llvm::InlineContext IC, RunnerFactory Runner)
      : MLInlineAdvisor(M, MAM, Runner, /*GetDefaultAdvice=*/nullptr),
        Heuristic(M, FAM, Params, IC) {}

  /// The value of \p Feature at the call site.
  int64_t compute(const CallFeature &Feature) const {
    return Feature.Compute(*CallSite, Asked);
  }
  const llvm::CallBase &callSite() const { return *CallSite; }
  /// Whether LLVM's heuristic would inline the call site.
  bool heuristicDecision();

private:
  std::unique_ptr<llvm::MLInlineAdvice>
  getAdviceFromModel(llvm::CallBase &CB,
                     llvm::OptimizationRemarkEmitter &ORE) override;

  llvm::DefaultInlineAdvisor Heuristic;
  llvm::CallBase *CallSite = nullptr;
  AskedCalls Asked;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_CALLSITEADVISOR_H
