//===- Inlining.cpp - One decision per call site --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out the decisions of LLVM's inliner (MLGO, Trofin et al. 2021). The
/// features, their bookkeeping and every legality check are those of LLVM's own
/// MLInlineAdvisor. The advisor is installed through LLVM's public extension
/// point PluginInlineAdvisorAnalysis, instead of -enable-ml-inliner. So the
/// task sees the call site in addition to its features.
///
//===----------------------------------------------------------------------===//

#include "CallSiteAdvisor.h"
#include "InliningBodies.h"
#include "InliningLinkage.h"
#include "SymbolNames.h"
#include "Task.h"
#include "llvm/Analysis/InlineModelFeatureMaps.h"
#include "llvm/Analysis/InteractiveModelRunner.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/DebugLoc.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class Inlining : public PipelineTask {
public:
  void apply(LLVMOptions &Process) const override;
  void install(PassBuilder &PB, ModuleAnalysisManager &MAM) override;
  void write(Tensors &To) const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  void declare(TaskOptions &Options) override;
  void describe(proto::TaskSpec &Spec) const override;
  std::unique_ptr<CallSiteAdvisor> createAdvisor(Module &M,
                                                 FunctionAnalysisManager &FAM,
                                                 InlineParams Params,
                                                 InlineContext IC);

  bool IncludeDefault = false;
  bool IncludeLinkage = false;
  bool IncludeBodies = false;
  double SizeIncreaseThreshold = DefaultSizeIncreaseThreshold;
  ModuleAnalysisManager *Modules = nullptr;
  /// LLVM owns the advisor, and keeps it as long as it asks for advice.
  CallSiteAdvisor *Advisor = nullptr;

  /// The task of this process, which serves one compile. The advisor's factory
  /// is a plain function pointer, and finds it here.
  static Inlining *Current;
};

} // namespace

Inlining *Inlining::Current = nullptr;

static TaskRegistry::Add<Inlining>
    X("inlining", "Whether to inline one call site, in the order in which "
                  "LLVM's CGSCC inliner visits them.");

void Inlining::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<Oz>");
  Spec.set_default_objective("text_size");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("Oz");
  setHeuristicFeature(Spec, DefaultDecisionName);
  Spec.set_inactive_action(0);
  Spec.set_active_action(1);
  proto::TensorSpec &Action = *Spec.mutable_action()->mutable_tensor();
  describeTensor(InlineDecisionSpec, Action);
  setBounds(Action, 0, 1);
  Action.set_doc("whether to inline the callee at this call site");
  Spec.mutable_action()->add_meanings("keep the call");
  Spec.mutable_action()->add_meanings("inline");

  static constexpr const char *Docs[] = {
#define DOC(DTYPE, SHAPE, NAME, TEXT) TEXT,
      INLINE_COST_FEATURE_ITERATOR(DOC) INLINE_FEATURE_ITERATOR(DOC)
#undef DOC
  };
  // Counts are 32-bit integers in LLVM's own InlineCostFeatures.
  constexpr double Limit = 2147483648.0;
  for (auto [Feature, Doc] :
       zip_equal(MLInlineAdvisor::getInitialFeatureMap(), Docs)) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Feature, Tensor);
    setBounds(Tensor, -Limit, Limit);
    Tensor.set_doc(Doc);
  }
  proto::TensorSpec &Default = *Spec.add_features();
  describeTensor(DefaultDecisionSpec, Default);
  setBounds(Default, 0, 1);
  Default.set_option(DefaultDecisionName);
  Default.set_doc("what LLVM's own heuristic would do (1: inline); repeating "
                  "it gives the object file of the heuristic compiler");
  auto Describe = [&](ArrayRef<CallFeature> Features, const char *Option) {
    for (const CallFeature &Each : Features) {
      proto::TensorSpec &Tensor = *Spec.add_features();
      describeTensor(TensorSpec::createSpec<int64_t>(Each.Name, {1}), Tensor);
      setBounds(Tensor, Each.Low, Each.High);
      Tensor.set_option(Option);
      Tensor.set_doc(Each.Doc);
    }
  };
  Describe(linkageFeatures(), LinkageName);
  Describe(bodyFeatures(), BodiesName);
  proto::Rule &LastUse = *Spec.add_rules();
  LastUse.set_name("last_use");
  LastUse.set_doc("decides as LLVM does, and also inlines a callee whose body "
                  "goes with this call");
  for (const char *Option : {DefaultDecisionName, LinkageName}) {
    proto::Option &Needed = *LastUse.add_options();
    Needed.set_name(Option);
    Needed.set_value("true");
  }
  LastUse.add_features(DefaultDecisionName);
  LastUse.add_features(CalleeRemovedName);
}

void Inlining::write(Tensors &To) const {
  if (IncludeDefault)
    To.set<int64_t>(DefaultDecisionName, Advisor->heuristicDecision());
  auto Write = [&](ArrayRef<CallFeature> Features) {
    for (const CallFeature &Each : Features)
      To.set<int64_t>(Each.Name, Advisor->compute(Each));
  };
  if (IncludeLinkage)
    Write(linkageFeatures());
  if (IncludeBodies)
    Write(bodyFeatures());
}

void Inlining::declare(TaskOptions &Options) {
  Options.flag(
      DefaultDecisionName, IncludeDefault,
      "whether to compute the heuristic's own decision and send it as a "
      "further feature");
  Options.flag(LinkageName, IncludeLinkage,
               "whether to send features of the linkage and the uses of caller "
               "and callee");
  Options.flag(BodiesName, IncludeBodies,
               "whether to send sizes and attributes of the bodies of caller "
               "and callee, whether they can go, and how many calls of the "
               "callee were kept");
  Options.number(
      SizeIncreaseThresholdName, SizeIncreaseThreshold, 0,
      LargestSizeIncreaseThreshold,
      "once the module has grown by this factor, no call site is inlined any "
      "more and no decision comes up (-ml-advisor-size-increase-threshold). "
      "LLVM's value is 2. LLVM's own heuristic has no such bound: where it "
      "lets a program grow further, repeating it does not give LLVM's object "
      "file");
}

void Inlining::apply(LLVMOptions &Process) const {
  Process.set("ml-advisor-size-increase-threshold",
              std::to_string(SizeIncreaseThreshold));
}

void Inlining::install(PassBuilder &, ModuleAnalysisManager &MAM) {
  Current = this;
  Modules = &MAM;
  MAM.registerPass([] {
    return PluginInlineAdvisorAnalysis(
        [](Module &M, FunctionAnalysisManager &FAM, InlineParams Params,
           InlineContext IC) -> InlineAdvisor * {
          return Current->createAdvisor(M, FAM, Params, IC).release();
        });
  });
}

std::unique_ptr<CallSiteAdvisor>
Inlining::createAdvisor(Module &M, FunctionAnalysisManager &FAM,
                        InlineParams Params, InlineContext IC) {
  auto Runner = [&](const std::vector<TensorSpec> &Features)
      -> std::unique_ptr<MLModelRunner> {
    return std::make_unique<InteractiveModelRunner>(
        M.getContext(), Features, InlineDecisionSpec, /*OutboundName=*/"",
        /*InboundName=*/"");
  };
  auto Created =
      std::make_unique<CallSiteAdvisor>(M, *Modules, FAM, Params, IC, Runner);
  Advisor = Created.get();
  return Created;
}

json::Object Inlining::describeDecision() const {
  const CallBase &CB = Advisor->callSite();
  const Function &Caller = *CB.getCaller();
  const Function &Callee = *CB.getCalledFunction();
  std::string Call;
  raw_string_ostream OS(Call);
  CB.print(OS);
  json::Object Decision{
      {"caller", toText(Caller.getName())},
      {"caller_instructions", int64_t(Caller.getInstructionCount())},
      {"callee", toText(Callee.getName())},
      {"callee_instructions", int64_t(Callee.getInstructionCount())},
      {"callee_uses", int64_t(Callee.getNumUses())},
      {"callee_local", Callee.hasLocalLinkage()},
      {"call", json::fixUTF8(StringRef(Call).trim())}};
  if (const DebugLoc &Loc = CB.getDebugLoc()) {
    std::string Where;
    raw_string_ostream LocOS(Where);
    Loc.print(LocOS);
    Decision["location"] = Where;
  }
  return Decision;
}

std::string Inlining::decisionLabel() const {
  const CallBase &CB = Advisor->callSite();
  return (CB.getCalledFunction()->getName() + " -> " +
          CB.getCaller()->getName())
      .str();
}
