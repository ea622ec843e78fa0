//===- RegAllocPriority.cpp - In which order to allocate ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out the priorities by which LLVM's greedy register allocator takes
/// live ranges from its queue. The features are those of LLVM's own ML advisor,
/// which is wrapped like the advisor for evictions.
///
//===----------------------------------------------------------------------===//

#include "CandidateColumns.h"
#include "PriorityAdvisor.h"
#include "SymbolNames.h"
#include "Task.h"
#include "llvm/CodeGen/LiveInterval.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class RegAllocPriority : public CodegenTask, public PriorityListener {
public:
  void apply(LLVMOptions &Process) const override;
  void install(legacy::PassManagerBase &PM) override;
  void write(Tensors &To) const override;
  const MachineFunction *machineFunction() const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  void asked(const PriorityAdvisor &Asking) override { Advisor = &Asking; }
  void done(const PriorityAdvisor &Gone) override {
    if (Advisor == &Gone)
      Advisor = nullptr;
  }
  void declare(TaskOptions &Options) override;
  void describe(proto::TaskSpec &Spec) const override;

  bool IncludeDefault = false;
  /// LLVM owns the advisor, and keeps it until the function is done.
  const PriorityAdvisor *Advisor = nullptr;
};

class AskingProvider : public RegAllocPriorityAdvisorProvider {
public:
  explicit AskingProvider(PriorityListener &Owner)
      : RegAllocPriorityAdvisorProvider(AdvisorMode::Release),
        Stock(createReleaseModePriorityAdvisorProvider()), Owner(Owner) {}

  std::unique_ptr<RegAllocPriorityAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             SlotIndexes &Indexes) override {
    return std::make_unique<PriorityAdvisor>(
        MF, RA, Indexes, Stock->getAdvisor(MF, RA, Indexes), Owner);
  }

private:
  const std::unique_ptr<RegAllocPriorityAdvisorProvider> Stock;
  PriorityListener &Owner;
};

/// Takes the place of LLVM's analysis: it has the same ID and is added first.
class AskingAnalysis : public RegAllocPriorityAdvisorAnalysisLegacy {
public:
  explicit AskingAnalysis(PriorityListener &Owner)
      : RegAllocPriorityAdvisorAnalysisLegacy(AdvisorMode::Release),
        Owner(Owner) {}

private:
  bool doInitialization(Module &M) override {
    Provider = std::make_unique<AskingProvider>(Owner);
    return false;
  }

  PriorityListener &Owner;
};

} // namespace

static TaskRegistry::Add<RegAllocPriority>
    X("regalloc_priority",
      "The priority of a live range that the greedy register allocator puts "
      "into its queue; the largest is taken out first.");

void RegAllocPriority::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O2>");
  Spec.set_default_objective("regalloc_score");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("O2");
  setHeuristicFeature(Spec, PriorityDefaultName);
  constexpr double LargestFloat = std::numeric_limits<float>::max();
  proto::TensorSpec &Action = *Spec.mutable_action()->mutable_tensor();
  describeTensor(TensorSpec::createSpec<float>("priority", {1}), Action);
  setBounds(Action, 0, LargestPriority);
  Action.set_doc("the priority; LLVM drops what is behind the point");

  auto Add = [&](const TensorSpec &Feature, double High, const char *Doc) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Feature, Tensor);
    setBounds(Tensor, 0, High);
    Tensor.set_doc(Doc);
    return &Tensor;
  };
  Add(TensorSpec::createSpec<int64_t>("li_size", {1}),
      std::numeric_limits<uint32_t>::max(), "slots that the live range covers");
  Add(TensorSpec::createSpec<int64_t>("stage", {1}), 5,
      "LiveRangeStage, 0 (new) to 5 (done)");
  Add(TensorSpec::createSpec<float>("weight", {1}), LargestFloat,
      "spill weight; the largest float where it must not be spilled");
  Add(TensorSpec::createSpec<int64_t>(PriorityDefaultName, {1}),
      LargestPriority,
      "what LLVM's own heuristic would say; repeating it, rounded to a float, "
      "gives the object file of the heuristic compiler")
      ->set_option(PriorityDefaultName);
}

void RegAllocPriority::declare(TaskOptions &Options) {
  Options.flag(PriorityDefaultName, IncludeDefault,
               "whether to send the feature of this name, what LLVM's own "
               "heuristic would say");
}

void RegAllocPriority::apply(LLVMOptions &Process) const {
  // Any name makes LLVM's advisor ask an InteractiveModelRunner.
  Process.set("regalloc-priority-interactive-channel-base", "session");
}

void RegAllocPriority::install(legacy::PassManagerBase &PM) {
  PM.add(new AskingAnalysis(*this));
}

void RegAllocPriority::write(Tensors &To) const {
  if (IncludeDefault)
    To.set<int64_t>(PriorityDefaultName, Advisor->shownPriority());
}

const MachineFunction *RegAllocPriority::machineFunction() const {
  return Advisor ? &Advisor->machineFunction() : nullptr;
}

json::Object RegAllocPriority::describeDecision() const {
  const MachineFunction &MF = Advisor->machineFunction();
  const LiveInterval &LI = Advisor->virtReg();
  const TargetRegisterInfo &TRI = *MF.getSubtarget().getRegisterInfo();
  return json::Object{
      {"function", toText(MF.getName())},
      {"virtual_register", nameOf(LI)},
      {"register_class",
       TRI.getRegClassName(MF.getRegInfo().getRegClass(LI.reg()))},
      {"spill_weight", finiteWeight(LI)},
      {"priority_default", int64_t(Advisor->heuristicPriority())}};
}

std::string RegAllocPriority::decisionLabel() const {
  return (nameOf(Advisor->virtReg()) + " in " +
          Advisor->machineFunction().getName())
      .str();
}
