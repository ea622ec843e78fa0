//===- RegAllocEviction.cpp - Which live range to evict -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out the eviction decisions of LLVM's greedy register allocator. The
/// features, the mask and every legality check are LLVM's own ML advisor. It is
/// wrapped, by an immutable pass that stands in for LLVM's analysis, so that
/// the live range and its candidates are at hand beside the features.
///
//===----------------------------------------------------------------------===//

#include "AllocationOrder.h"
#include "CandidateColumns.h"
#include "DecisionPoint.h"
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

/// The answer "evict nothing", and the number of candidates that LLVM's tensors
/// have room for.
constexpr int64_t EvictNothing = 32;
constexpr int64_t Columns = EvictNothing + 1;
/// Interfering live ranges of a candidate whose weights are sent.
constexpr int64_t Weights = 8;

constexpr const char *MaskName = "mask";
constexpr const char *DefaultName = "eviction_default";
constexpr const char *WeightsName = "interference_weights";

class AskingAdvisor;

class RegAllocEviction : public CodegenTask {
public:
  void apply(LLVMOptions &Process) const override;
  void install(legacy::PassManagerBase &PM) override;
  void write(Tensors &To) const override;
  const MachineFunction *machineFunction() const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

  /// Belongs to LLVM, which keeps it until the function is done.
  const AskingAdvisor *Advisor = nullptr;

private:
  void declare(TaskOptions &Options) override;
  void describe(proto::TaskSpec &Spec) const override;

  bool IncludeDefault = false;
  bool IncludeWeights = false;
};

/// What LLVM asks about, remembered while its own advisor answers.
class AskingAdvisor : public RegAllocEvictionAdvisor {
public:
  AskingAdvisor(const MachineFunction &MF, const RAGreedy &RA,
                std::unique_ptr<RegAllocEvictionAdvisor> Stock,
                RegAllocEviction &Owner)
      : RegAllocEvictionAdvisor(MF, RA), Stock(std::move(Stock)),
        Heuristic(MF, RA), Owner(Owner) {}
  ~AskingAdvisor() override {
    if (Owner.Advisor == this)
      Owner.Advisor = nullptr;
  }

  const MachineFunction &machineFunction() const { return MF; }
  const LiveInterval &virtReg() const { return *VirtReg; }
  CandidateColumns columns() const {
    return CandidateColumns(*VirtReg, *VRM, RegClassInfo, *Matrix);
  }
  int64_t heuristicColumn() const;

private:
  MCRegister tryFindEvictionCandidate(
      const LiveInterval &VirtReg, const AllocationOrder &Order,
      uint8_t CostPerUseLimit,
      const SmallVirtRegSet &FixedRegisters) const override;
  bool canEvictHintInterference(
      const LiveInterval &VirtReg, MCRegister PhysReg,
      const SmallVirtRegSet &FixedRegisters) const override {
    return Stock->canEvictHintInterference(VirtReg, PhysReg, FixedRegisters);
  }

  const std::unique_ptr<RegAllocEvictionAdvisor> Stock;
  const DefaultEvictionAdvisor Heuristic;
  RegAllocEviction &Owner;
  mutable const LiveInterval *VirtReg = nullptr;
  mutable const AllocationOrder *Order = nullptr;
  mutable uint8_t CostPerUseLimit = 0;
  mutable const SmallVirtRegSet *FixedRegisters = nullptr;
};

class AskingProvider : public RegAllocEvictionAdvisorProvider {
public:
  AskingProvider(LLVMContext &Context, RegAllocEviction &Owner)
      : RegAllocEvictionAdvisorProvider(AdvisorMode::Release, Context),
        Stock(createReleaseModeAdvisorProvider(Context)), Owner(Owner) {}

  std::unique_ptr<RegAllocEvictionAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             MachineBlockFrequencyInfo *MBFI, MachineLoopInfo *Loops) override {
    return std::make_unique<AskingAdvisor>(
        MF, RA, Stock->getAdvisor(MF, RA, MBFI, Loops), Owner);
  }

private:
  const std::unique_ptr<RegAllocEvictionAdvisorProvider> Stock;
  RegAllocEviction &Owner;
};

/// Has the ID of LLVM's analysis, and is there before that would be made.
class AskingAnalysis : public RegAllocEvictionAdvisorAnalysisLegacy {
public:
  explicit AskingAnalysis(RegAllocEviction &Owner)
      : RegAllocEvictionAdvisorAnalysisLegacy(AdvisorMode::Release),
        Owner(Owner) {}

private:
  bool doInitialization(Module &M) override {
    Provider = std::make_unique<AskingProvider>(M.getContext(), Owner);
    return false;
  }

  RegAllocEviction &Owner;
};

} // namespace

static TaskRegistry::Add<RegAllocEviction> X(
    "regalloc_eviction",
    "Which physical register to take from the live ranges that hold it, for a "
    "live range that the greedy register allocator finds none free for.");

MCRegister AskingAdvisor::tryFindEvictionCandidate(
    const LiveInterval &Asked, const AllocationOrder &AskedOrder, uint8_t Limit,
    const SmallVirtRegSet &Fixed) const {
  // LLVM gives each entry a column, and would write behind the last if hints
  // repeat themselves.
  SmallVector<MCPhysReg, 16> Hints = withoutRepeats(AskedOrder.hints());
  if (Hints.size() != AskedOrder.hints().size())
    return tryFindEvictionCandidate(Asked,
                                    AllocationOrder(std::move(Hints),
                                                    AskedOrder.getOrder(),
                                                    AskedOrder.hasHardHints()),
                                    Limit, Fixed);
  const size_t Registers =
      AskedOrder.getOrder().size() + count_if(Hints, [&](MCPhysReg Hint) {
        return !is_contained(AskedOrder.getOrder(), Hint);
      });
  const TargetRegisterClass &Class = *MRI->getRegClass(Asked.reg());
  if (Registers > EvictNothing)
    DecisionPoint::Current->refuse(fail(
        proto::INVALID_PROGRAM,
        "function '" + toText(MF.getName()) + "' uses register class " +
            TRI->getRegClassName(&Class) + ", which has " + Twine(Registers) +
            " registers to choose from; LLVM's eviction features have "
            "room for " +
            Twine(EvictNothing) +
            ". Compile for a cpu without them, or leave this function "
            "out"));
  VirtReg = &Asked;
  Order = &AskedOrder;
  CostPerUseLimit = Limit;
  FixedRegisters = &Fixed;
  Owner.Advisor = this;
  return Stock->tryFindEvictionCandidate(Asked, AskedOrder, Limit, Fixed);
}

int64_t AskingAdvisor::heuristicColumn() const {
  // Only the base class says that it may be called.
  const RegAllocEvictionAdvisor &Advisor = Heuristic;
  MCRegister Chosen = Advisor.tryFindEvictionCandidate(
      *VirtReg, *Order, CostPerUseLimit, *FixedRegisters);
  if (!Chosen)
    return EvictNothing;
  return columns().columnOf(Chosen);
}

namespace {

struct FeatureDoc {
  const char *Name;
  bool IsFloat;
  double High;
  const char *Doc;
};

} // namespace

/// LLVM's list (RA_EVICT_FEATURES_LIST) is in none of its headers. A session
/// compares this one with what the advisor brings.
static constexpr FeatureDoc Features[] = {
    {MaskName, false, 1, "1: this column may be chosen"},
    {"is_free", false, 1, "1: nothing has to be evicted for this register"},
    {"nr_urgent", true, 1,
     "live ranges of a cascade as new as this one's, evicted all the same "
     "because this one cannot be spilled; of the largest in the row"},
    {"nr_broken_hints", true, 1,
     "evicted live ranges that lose the register that they were hinted to; of "
     "the largest in the row"},
    {"is_hint", false, 1, "1: this register is a hint of the live range"},
    {"is_local", false, 2147483647.0,
     "evicted live ranges that, like this one, lie within one block and cannot "
     "be given another register"},
    {"nr_rematerializable", true, 1,
     "evicted live ranges that can be computed anew instead of reloaded; of "
     "the "
     "largest in the row"},
    {"nr_defs_and_uses", true, 1,
     "instructions that define or use the evicted live ranges; of the largest "
     "in the row"},
    {"weighed_reads_by_max", true, 1,
     "block-frequency-weighted reads; of the largest in the row"},
    {"weighed_writes_by_max", true, 1,
     "block-frequency-weighted writes; of the largest in the row"},
    {"weighed_read_writes_by_max", true, 1,
     "block-frequency-weighted reads that write, too; of the largest in the "
     "row"},
    {"weighed_indvars_by_max", true, 1,
     "block-frequency-weighted updates of induction variables; of the largest "
     "in the row"},
    {"hint_weights_by_max", true, 1,
     "block-frequency-weighted copies that a hint would remove; of the largest "
     "in the row"},
    {"start_bb_freq_by_max", true, 1,
     "frequency of the block in which the live ranges begin; of the largest in "
     "the row"},
    {"end_bb_freq_by_max", true, 1,
     "frequency of the block in which the live ranges end; of the largest in "
     "the row"},
    {"hottest_bb_freq_by_max", true, 1,
     "frequency of the hottest block with a use; of the largest in the row"},
    {"liverange_size", true, 1,
     "slots from the first beginning to the last end; of the largest in the "
     "row"},
    {"use_def_density", true, 1,
     "largest spill weight among the live ranges; of the largest in the row; 1 "
     "where it must not be spilled"},
    {"max_stage", false, 5,
     "latest LiveRangeStage among the live ranges, 0 (new) to 5 (done)"},
    {"min_stage", false, 5, "earliest LiveRangeStage among them"},
};

void RegAllocEviction::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O2>");
  Spec.set_default_objective("regalloc_score");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("O2");
  setHeuristicFeature(Spec, DefaultName);
  Spec.set_inactive_action(EvictNothing);
  proto::ActionSpec &Action = *Spec.mutable_action();
  describeTensor(TensorSpec::createSpec<int64_t>("index_to_evict", {1}),
                 *Action.mutable_tensor());
  setBounds(*Action.mutable_tensor(), 0, EvictNothing);
  Action.mutable_tensor()->set_doc(
      "column of the register to take; 32: evict nothing");
  Action.set_mask(MaskName);
  for (int64_t Column = 0; Column != EvictNothing; ++Column)
    Action.add_meanings("take the register of column " +
                        std::to_string(Column));
  Action.add_meanings("evict nothing");

  for (const FeatureDoc &Feature : Features) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    const std::vector<int64_t> Shape{1, Columns};
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
  Progress.set_doc("live ranges still in the queue, of those at the beginning");

  for (const TensorSpec &Extra :
       {TensorSpec::createSpec<int64_t>(DefaultName, {1}),
        TensorSpec::createSpec<float>(WeightsName, {Columns, Weights})}) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Extra, Tensor);
    Tensor.set_option(Extra.name());
    const bool IsDefault = Extra.name() == DefaultName;
    setBounds(Tensor, 0, IsDefault ? double(EvictNothing) : Largest);
    Tensor.set_doc(
        IsDefault
            ? "what LLVM's own heuristic would do, or where that is not legal "
              "32, or else the first that is; repeating it from the beginning "
              "gives the very object file of the heuristic compiler"
            : "spill weights of the live ranges that each column evicts, the 8 "
              "heaviest in descending order, then zeros; column 32: the live "
              "range's own. The largest float: it cannot be spilled");
  }
}

void RegAllocEviction::install(legacy::PassManagerBase &PM) {
  PM.add(new AskingAnalysis(*this));
}

void RegAllocEviction::declare(TaskOptions &Options) {
  Options.flag(DefaultName, IncludeDefault,
               "whether to send the feature of this name, what LLVM's own "
               "heuristic would do");
  Options.flag(WeightsName, IncludeWeights,
               "whether to send the feature of this name, the spill weights of "
               "what each column would evict");
}

void RegAllocEviction::apply(LLVMOptions &Process) const {
  // Any name makes LLVM's advisor ask an InteractiveModelRunner.
  Process.set("regalloc-evict-interactive-channel-base", "session");
}

/// What the heuristic would do, or what comes next to that where it is not
/// legal: LLVM masks what has been evicted too often, and to evict nothing for
/// what cannot be spilled, neither of which the heuristic knows.
static int64_t legalColumn(int64_t Heuristic, const Tensors &Decision) {
  if (Decision.isLegal(Heuristic))
    return Heuristic;
  if (Decision.isLegal(EvictNothing))
    return EvictNothing;
  int64_t First = 0;
  while (First != EvictNothing && !Decision.isLegal(First))
    ++First;
  return First;
}

void RegAllocEviction::write(Tensors &To) const {
  if (IncludeDefault)
    To.set<int64_t>(DefaultName, legalColumn(Advisor->heuristicColumn(), To));
  if (!IncludeWeights)
    return;
  std::array<float, Columns * Weights> Values{};
  CandidateColumns Candidates = Advisor->columns();
  for (size_t C = 0; C != Candidates.registers().size(); ++C) {
    size_t W = 0;
    for (const LiveInterval *LI : Candidates.interfering(C))
      if (W != Weights)
        Values[C * Weights + W++] = finiteWeight(*LI);
  }
  Values[EvictNothing * Weights] = finiteWeight(Advisor->virtReg());
  To.set<float>(WeightsName, Values);
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
