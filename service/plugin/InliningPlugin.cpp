//===- InliningPlugin.cpp - Policies for LLVM's inliner -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "InliningPlugin.h"
#include "PolicyRunner.h"
#include "tasks/CallSiteAdvisor.h"
#include "tasks/InliningBodies.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/InlineModelFeatureMaps.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;
using namespace mlcompiler;

/// The analyses of the pipeline that this thread runs. The factory of advisors
/// is a plain function pointer, which gets no argument for them. A link with
/// ThinLTO has many threads.
static thread_local ModuleAnalysisManager *Modules = nullptr;

/// The features of a call site that any option adds.
static auto callFeatures() {
  return concat<const CallFeature>(linkageFeatures(), bodyFeatures());
}

/// The features that a policy may decide from.
static std::vector<TensorSpec> knownFeatures() {
  std::vector<TensorSpec> Known = MLInlineAdvisor::getInitialFeatureMap();
  Known.push_back(DefaultDecisionSpec);
  for (const CallFeature &Each : callFeatures())
    Known.push_back(TensorSpec::createSpec<int64_t>(Each.Name, {1}));
  return Known;
}

namespace {

/// LLVM's advisor with a policy as its model.
class PolicyInlineAdvisor : public PolicyRunner::Source,
                            public CallSiteAdvisor {
public:
  PolicyInlineAdvisor(Module &M, FunctionAnalysisManager &FAM,
                      InlineParams Params, InlineContext IC,
                      std::unique_ptr<FittedPolicy> Policy)
      : CallSiteAdvisor(M, *Modules, FAM, Params, IC,
                        [&](const std::vector<TensorSpec> &Theirs) {
                          return std::make_unique<PolicyRunner>(
                              M.getContext(), inliningKind(), Theirs,
                              std::move(Policy), *this);
                        }) {}

private:
  void write(StringRef Feature, PolicyRunner &, void *To) override {
    int64_t &Value = *static_cast<int64_t *>(To);
    if (Feature == DefaultDecisionName) {
      Value = heuristicDecision();
      return;
    }
    for (const CallFeature &Each : callFeatures())
      if (Feature == Each.Name)
        Value = compute(Each);
  }

  float heuristic(PolicyRunner &) override { return heuristicDecision(); }
};

} // namespace

/// Bounds the growth of a module as in the policy's sessions, unless the
/// command line says otherwise. Returns false, and complains, if the policy's
/// option is no valid number.
static bool setSizeIncreaseThreshold(const NamedFile &File) {
  double Threshold = DefaultSizeIncreaseThreshold;
  for (const auto &[Name, Value] : File.Policy.Options)
    if (Name == SizeIncreaseThresholdName &&
        (StringRef(Value).getAsDouble(Threshold) ||
         !(Threshold >= 0 && Threshold <= LargestSizeIncreaseThreshold))) {
      Policies::get().complain(
          File.Name, "its option " + Name + " is no number from 0 to " +
                         Twine(uint64_t(LargestSizeIncreaseThreshold)));
      return false;
    }
  static std::mutex Lock;
  std::lock_guard<std::mutex> Guard(Lock);
  cl::Option *Option =
      cl::getRegisteredOptions().lookup("ml-advisor-size-increase-threshold");
  if (Option && !Option->getNumOccurrences())
    Option->addOccurrence(0, Option->ArgStr, std::to_string(Threshold));
  return true;
}

static InlineAdvisor *createAdvisor(Module &M, FunctionAnalysisManager &FAM,
                                    InlineParams Params, InlineContext IC) {
  Policies &All = Policies::get();
  std::unique_ptr<FittedPolicy> Policy =
      All.fit(inliningKind(), knownFeatures());
  if (Policy && !setSizeIncreaseThreshold(*All.find(inliningKind())))
    Policy.reset();
  All.report(M.getContext());
  if (!Policy)
    return new DefaultInlineAdvisor(M, FAM, Params, IC);
  return new PolicyInlineAdvisor(M, FAM, Params, IC, std::move(Policy));
}

void mlcompiler::installInlining(PassBuilder &PB) {
  Policies &All = Policies::get();
  if (!All.find(inliningKind()) && !All.hasComplaints())
    return;
  PB.registerAnalysisRegistrationCallback([](ModuleAnalysisManager &MAM) {
    Modules = &MAM;
    MAM.registerPass([] { return PluginInlineAdvisorAnalysis(createAdvisor); });
  });
}
