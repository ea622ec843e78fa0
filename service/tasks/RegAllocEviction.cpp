//===- RegAllocEviction.cpp - Which live range to evict -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out the eviction decisions of LLVM's greedy register allocator. The
/// features, the mask and every legality check are those of LLVM's own ML
/// advisor. An immutable pass that stands in for LLVM's analysis wraps the
/// advisor. So the task sees the live range and its candidates in addition to
/// the features.
///
//===----------------------------------------------------------------------===//

#include "DecisionPoint.h"
#include "EvictionAdvisor.h"
#include "Failure.h"
#include "SymbolNames.h"
#include "Task.h"
#include "llvm/CodeGen/LiveInterval.h"
#include "llvm/CodeGen/LiveRegMatrix.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/RegAllocEvictionAdvisor.h"
#include "llvm/CodeGen/RegisterClassInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class RegAllocEviction : public CodegenTask, public EvictionListener {
public:
  void apply(LLVMOptions &Process) const override;
  void install(legacy::PassManagerBase &PM) override;
  void write(Tensors &To) const override;
  const MachineFunction *machineFunction() const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  void asked(const EvictionAdvisor &Asking) override { Advisor = &Asking; }
  void done(const EvictionAdvisor &Gone) override {
    if (Advisor == &Gone)
      Advisor = nullptr;
  }
  void tooManyRegisters(const MachineFunction &MF, StringRef RegisterClass,
                        size_t Registers) override;
  void declare(TaskOptions &Options) override;
  void describe(proto::TaskSpec &Spec) const override;

  bool IncludeDefault = false;
  bool IncludeWeights = false;
  /// LLVM owns the advisor, and keeps it until the function is done.
  const EvictionAdvisor *Advisor = nullptr;
};

class AskingProvider : public RegAllocEvictionAdvisorProvider {
public:
  AskingProvider(LLVMContext &Context, EvictionListener &Owner)
      : RegAllocEvictionAdvisorProvider(AdvisorMode::Release, Context),
        Stock(createReleaseModeAdvisorProvider(Context)), Owner(Owner) {}

  std::unique_ptr<RegAllocEvictionAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             MachineBlockFrequencyInfo *MBFI, MachineLoopInfo *Loops) override {
    return std::make_unique<EvictionAdvisor>(
        MF, RA, Stock->getAdvisor(MF, RA, MBFI, Loops), Owner);
  }

private:
  const std::unique_ptr<RegAllocEvictionAdvisorProvider> Stock;
  EvictionListener &Owner;
};

/// Takes the place of LLVM's analysis: it has the same ID and is added first.
class AskingAnalysis : public RegAllocEvictionAdvisorAnalysisLegacy {
public:
  explicit AskingAnalysis(EvictionListener &Owner)
      : RegAllocEvictionAdvisorAnalysisLegacy(AdvisorMode::Release),
        Owner(Owner) {}

private:
  bool doInitialization(Module &M) override {
    Provider = std::make_unique<AskingProvider>(M.getContext(), Owner);
    return false;
  }

  EvictionListener &Owner;
};

} // namespace

static TaskRegistry::Add<RegAllocEviction> X(
    "regalloc_eviction",
    "Which physical register to take from the live ranges that hold it, for a "
    "live range that the greedy register allocator finds none free for.");

void RegAllocEviction::tooManyRegisters(const MachineFunction &MF,
                                        StringRef RegisterClass,
                                        size_t Registers) {
  DecisionPoint::Current->refuse(
      fail(proto::INVALID_PROGRAM,
           "function '" + toText(MF.getName()) + "' uses register class " +
               RegisterClass + ", which has " + Twine(Registers) +
               " registers to choose from; LLVM's eviction features have "
               "room for " +
               Twine(EvictNothing) +
               ". Compile for a cpu without them, or leave this function "
               "out"));
}

void RegAllocEviction::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O2>");
  Spec.set_default_objective("regalloc_score");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("O2");
  setHeuristicFeature(Spec, EvictionDefaultName);
  Spec.set_inactive_action(EvictNothing);
  proto::ActionSpec &Action = *Spec.mutable_action();
  describeTensor(TensorSpec::createSpec<int64_t>("index_to_evict", {1}),
                 *Action.mutable_tensor());
  setBounds(*Action.mutable_tensor(), 0, EvictNothing);
  Action.mutable_tensor()->set_doc(
      "column of the register to take; 32: evict nothing");
  Action.set_mask(EvictionMaskName);
  for (int64_t Column = 0; Column != EvictNothing; ++Column)
    Action.add_meanings("take the register of column " +
                        std::to_string(Column));
  Action.add_meanings("evict nothing");

  for (const EvictionFeature &Feature : evictionFeatures()) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    const std::vector<int64_t> Shape{1, EvictionColumns};
    describeTensor(Feature.IsFloat
                       ? TensorSpec::createSpec<float>(Feature.Name, Shape)
                       : TensorSpec::createSpec<int64_t>(Feature.Name, Shape),
                   Tensor);
    setBounds(Tensor, 0, Feature.High);
    Tensor.set_doc(Feature.Doc);
  }
  proto::TensorSpec &Progress = *Spec.add_features();
  describeTensor(TensorSpec::createSpec<float>("progress", {1}), Progress);
  constexpr double Largest = std::numeric_limits<float>::max();
  setBounds(Progress, 0, Largest);
  Progress.set_doc(
      "live ranges still in the queue, divided by their number at first");

  for (const TensorSpec &Extra :
       {TensorSpec::createSpec<int64_t>(EvictionDefaultName, {1}),
        TensorSpec::createSpec<float>(EvictionWeightsName,
                                      {EvictionColumns, EvictionWeights})}) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Extra, Tensor);
    Tensor.set_option(Extra.name());
    const bool IsDefault = Extra.name() == EvictionDefaultName;
    setBounds(Tensor, 0, IsDefault ? double(EvictNothing) : Largest);
    Tensor.set_doc(
        IsDefault
            ? "what LLVM's own heuristic would do. Where that is not legal, it "
              "is 32, or the first legal column if 32 is not legal either. "
              "Repeating it from the beginning gives the object file of the "
              "heuristic compiler"
            : "spill weights of the live ranges that each column evicts, the 8 "
              "heaviest in descending order, then zeros; column 32: the live "
              "range's own. The largest float: it cannot be spilled");
  }
}

void RegAllocEviction::install(legacy::PassManagerBase &PM) {
  PM.add(new AskingAnalysis(*this));
}

void RegAllocEviction::declare(TaskOptions &Options) {
  Options.flag(EvictionDefaultName, IncludeDefault,
               "whether to send the feature of this name, what LLVM's own "
               "heuristic would do");
  Options.flag(EvictionWeightsName, IncludeWeights,
               "whether to send the feature of this name, the spill weights of "
               "what each column would evict");
}

void RegAllocEviction::apply(LLVMOptions &Process) const {
  // Any name makes LLVM's advisor ask an InteractiveModelRunner.
  Process.set("regalloc-evict-interactive-channel-base", "session");
}

void RegAllocEviction::write(Tensors &To) const {
  if (IncludeDefault)
    To.set<int64_t>(EvictionDefaultName,
                    Advisor->heuristicColumn(
                        [&](int64_t Column) { return To.isLegal(Column); }));
  if (IncludeWeights)
    To.set<float>(EvictionWeightsName, Advisor->weights());
}

const MachineFunction *RegAllocEviction::machineFunction() const {
  return Advisor ? &Advisor->machineFunction() : nullptr;
}

static json::Object describeRange(const LiveInterval &LI) {
  return json::Object{{"virtual_register", nameOf(LI)},
                      {"spill_weight", finiteWeight(LI)}};
}

json::Object RegAllocEviction::describeDecision() const {
  const MachineFunction &MF = Advisor->machineFunction();
  const TargetRegisterInfo &TRI = *MF.getSubtarget().getRegisterInfo();
  const LiveInterval &LI = Advisor->virtReg();
  json::Object Decision = describeRange(LI);
  Decision["function"] = toText(MF.getName());
  Decision["register_class"] =
      TRI.getRegClassName(MF.getRegInfo().getRegClass(LI.reg()));
  json::Array Described;
  CandidateColumns Candidates = Advisor->columns();
  for (size_t C = 0; C != Candidates.registers().size(); ++C) {
    json::Array Evicted;
    for (const LiveInterval *Other : Candidates.interfering(C))
      Evicted.push_back(describeRange(*Other));
    Described.push_back(
        json::Object{{"register", TRI.getName(Candidates.registers()[C])},
                     {"hint", Candidates.isHint(C)},
                     {"evicts", std::move(Evicted)}});
  }
  Decision["columns"] = std::move(Described);
  return Decision;
}

std::string RegAllocEviction::decisionLabel() const {
  return (nameOf(Advisor->virtReg()) + " in " +
          Advisor->machineFunction().getName())
      .str();
}
