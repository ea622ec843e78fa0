//===- RegAlloc.cpp - Which registers live ranges get ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out all decisions of a register allocator: which live range comes
/// next, and what becomes of it. The allocator is ours, and takes the place of
/// LLVM's greedy one. Liveness, interference, spiller and splitter are LLVM's.
///
//===----------------------------------------------------------------------===//

#include "AllocationFeatures.h"
#include "AllocationGraph.h"
#include "AllocatorPass.h"
#include "CandidateColumns.h"
#include "DecisionPoint.h"
#include "Failure.h"
#include "SymbolNames.h"
#include "Task.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/RegAllocRegistry.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"

using namespace llvm;
using namespace mlcompiler;

static constexpr const char *MaskName = "mask";
static constexpr const char *PhaseName = "phase";
static constexpr const char *ProgressName = "progress";
static constexpr const char *RangeName = "range";
static constexpr const char *BasicName = "basic_action";
static constexpr const char *CheapestName = "cheapest_action";

namespace {

// The actions. Code generation for x86-64 and AArch64 gives live ranges no
// register class with more than 48 registers to choose from.
constexpr int64_t RegisterColumns = 48;
constexpr int64_t Spill = RegisterColumns;
constexpr int64_t SplitAtBlocks = Spill + 1;
constexpr int64_t SplitAround = SplitAtBlocks + 1;
constexpr int64_t LoopColumns = 4;
constexpr int64_t Actions = SplitAround + LoopColumns;
/// How many live ranges an agent chooses from.
constexpr int64_t Rows = 16;

/// The values of `order`. The first one leaves the order to the agent.
constexpr StringLiteral Orders[] = {"agent", "weight", "size", "global_first"};
/// The values of `allocator`. All except the first are LLVM's allocators.
constexpr StringLiteral Allocators[] = {"agent", "basic", "greedy", "pbqp"};

class RegAlloc : public CodegenTask, AllocationDriver {
public:
  void apply(LLVMOptions &Process) const override;
  void install(legacy::PassManagerBase &PM) override;
  void write(Tensors &To) const override;
  const MachineFunction *machineFunction() const override;
  std::optional<InterferenceGraph> interference() const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  void allocate(const AllocationAnalyses &Analyses) override;
  void declare(TaskOptions &Options) override;
  void describe(proto::TaskSpec &Spec) const override;

  bool isOrderAsked() const { return Order == Orders[0]; }
  bool takeNext();
  void place();
  void take(int64_t Action);
  std::vector<int64_t> legal() const;
  ColumnNumbers describeColumn(int64_t Action) const;
  json::Object describeRows() const;
  json::Object describePlace() const;
  int64_t asBasic() const;
  int64_t cheapest(ArrayRef<int64_t> May,
                   ArrayRef<ColumnNumbers> Numbers) const;

  std::string Order = Orders[0].str();
  std::string Allocator = Allocators[0].str();
  bool IsVerified = false;
  bool ShowsBasic = false;
  bool ShowsCheapest = false;

  /// The allocation of the current function; null between functions.
  Allocation *Current = nullptr;
  /// The live ranges to choose the next one from, while the agent is asked for
  /// it.
  SmallVector<const LiveInterval *, 16> Waiting;
  ProgressNumbers Progress{};
};

} // namespace

static TaskRegistry::Add<RegAlloc>
    X("regalloc", "All decisions of a register allocator: which live range "
                  "comes next, and which register it gets, or whether it is "
                  "spilled or split.");

void RegAlloc::declare(TaskOptions &Options) {
  const SmallVector<StringRef> OrderNames(std::begin(Orders), std::end(Orders));
  Options.choice("order", Order, OrderNames,
                 "which live range comes next: the agent's choice, the one of "
                 "the largest spill weight, the longest, or the longest that "
                 "reaches beyond a block. Live ranges of one block then come "
                 "last, in the order of the code");
  const SmallVector<StringRef> AllocatorNames(std::begin(Allocators),
                                              std::end(Allocators));
  Options.choice("allocator", Allocator, AllocatorNames,
                 "who allocates: the agent, or one of LLVM's allocators, with "
                 "which no decision comes up");
  Options.flag("verify_machine_code", IsVerified,
               "whether LLVM's verifier of machine code looks at it behind "
               "every pass of the code generator, and ends the session if it "
               "finds an error");
  Options.flag(BasicName, ShowsBasic,
               "whether to send the feature of this name, what LLVM's basic "
               "allocator would do");
  Options.flag(CheapestName, ShowsCheapest,
               "whether to send the feature of this name, what a simple rule "
               "would do");
}

void RegAlloc::apply(LLVMOptions &Process) const {
  // Without optimisation, LLVM would assign registers instruction by
  // instruction, and no other allocator would fit there.
  Process.set("optimize-regalloc", "true");
  if (IsVerified)
    Process.set("verify-machineinstrs", "true");
}

void RegAlloc::install(legacy::PassManagerBase &) {
  if (Allocator == "basic")
    RegisterRegAlloc::setDefault(createBasicRegisterAllocator);
  else if (Allocator == "greedy")
    RegisterRegAlloc::setDefault(createGreedyRegisterAllocator);
  else if (Allocator == "pbqp")
    RegisterRegAlloc::setDefault(createDefaultPBQPRegisterAllocator);
  else
    useAllocator(*this);
}

static std::string rowName(const FeatureText &Feature) {
  return std::string("row_") + Feature.Name;
}

void RegAlloc::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O2>");
  Spec.set_default_objective("regalloc_score");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("O2");
  proto::ActionSpec &Action = *Spec.mutable_action();
  describeTensor(TensorSpec::createSpec<int64_t>("choice", {1}),
                 *Action.mutable_tensor());
  setBounds(*Action.mutable_tensor(), 0, Actions - 1);
  Action.mutable_tensor()->set_doc(
      "what becomes of the live range; or, where it is asked which comes next, "
      "its row");
  Action.set_mask(MaskName);
  for (int64_t Column = 0; Column != RegisterColumns; ++Column) {
    const std::string Number = std::to_string(Column);
    const bool IsRow = isOrderAsked() && Column < Rows;
    Action.add_meanings("the register of column " + Number +
                        (IsRow ? ", or the live range of row " + Number : ""));
  }
  Action.add_meanings("spill");
  Action.add_meanings("split at blocks");
  for (int64_t Loop = 0; Loop != LoopColumns; ++Loop)
    Action.add_meanings("split around loop " + std::to_string(Loop));

  auto Add = [&](const TensorSpec &Feature, double High, const Twine &Doc) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Feature, Tensor);
    setBounds(Tensor, 0, High);
    Tensor.set_doc(Doc.str());
    return &Tensor;
  };
  constexpr double Largest = std::numeric_limits<float>::max();
  Add(TensorSpec::createSpec<int64_t>(MaskName, {Actions}), 1,
      "1: this may be chosen");
  if (isOrderAsked())
    Add(TensorSpec::createSpec<int64_t>(PhaseName, {1}), 1,
        "0: which live range comes next; 1: what becomes of it");
  Add(TensorSpec::createSpec<float>(ProgressName, {ProgressFeatureCount}),
      Largest, list(ProgressFeatures));
  Add(TensorSpec::createSpec<float>(RangeName, {RangeFeatureCount}), Largest,
      "the live range at hand, if there is one. " + list(RangeFeatures));
  if (isOrderAsked())
    for (const FeatureText &Feature : RangeFeatures)
      Add(TensorSpec::createSpec<float>(rowName(Feature), {Rows}), Largest,
          "for each live range to choose from: " + Twine(Feature.Doc));
  for (const FeatureText &Feature : ColumnFeatures)
    Add(TensorSpec::createSpec<float>(Feature.Name, {Actions}), Largest,
        Feature.Doc);
  auto Suggest = [&](const char *Name, const Twine &Doc) {
    Add(TensorSpec::createSpec<int64_t>(Name, {1}), Actions - 1, Doc)
        ->set_option(Name);
  };
  Suggest(BasicName, "what LLVM's basic allocator would do; repeating it with "
                     "order='weight' from the beginning gives the object "
                     "file of that allocator");
  Suggest(CheapestName,
          "what a simple rule would do. It takes the free register that saves "
          "most copies, where what it denies is subtracted. If none is free, "
          "it splits around a loop where that "
          "costs less than a third of taking a register or spilling. Otherwise "
          "it takes the register that costs least, if that is less than "
          "spilling. Otherwise it splits at blocks, and if it cannot, spills");
}

//===----------------------------------------------------------------------===//
// The allocation
//===----------------------------------------------------------------------===//

static RangeOrder parseOrder(StringRef Name) {
  if (Name == "size")
    return RangeOrder::Size;
  if (Name == "global_first")
    return RangeOrder::GlobalFirst;
  return RangeOrder::Weight;
}

void RegAlloc::allocate(const AllocationAnalyses &Analyses) {
  Allocation All(Analyses, parseOrder(Order));
  Current = &All;
  Progress = {0, float(All.waitingCount()), 0, 0};
  while (takeNext())
    place();
  All.finish();
  Current = nullptr;
}

bool RegAlloc::takeNext() {
  if (!isOrderAsked())
    return Current->takeFirst();
  Waiting = Current->waiting(Rows);
  if (Waiting.empty())
    return false;
  int64_t Row = 0;
  if (Waiting.size() > 1)
    Row = DecisionPoint::Current->ask<int64_t>();
  Current->take(*Waiting[Row]);
  Waiting.clear();
  return true;
}

/// Whether each action may be taken, 0 or 1.
std::vector<int64_t> RegAlloc::legal() const {
  std::vector<int64_t> May(Actions);
  if (!Waiting.empty()) {
    std::fill_n(May.begin(), Waiting.size(), 1);
    return May;
  }
  for (auto [Number, Column] : enumerate(Current->registers()))
    if (Number < size_t(RegisterColumns))
      May[Number] = Column.IsLegal;
  May[Spill] = Current->canSpill();
  May[SplitAtBlocks] = Current->canSplitAtBlocks();
  std::fill_n(May.begin() + SplitAround,
              std::min<size_t>(LoopColumns, Current->splitLoops().size()), 1);
  return May;
}

void RegAlloc::place() {
  const std::vector<int64_t> May = legal();
  switch (llvm::count(May, 1)) {
  case 0:
    if (!Current->displace())
      DecisionPoint::Current->refuse(
          fail(proto::INVALID_PROGRAM,
               "function '" + toText(machineFunction()->getName()) +
                   "' needs more registers at once than the target has"));
    return;
  case 1:
    return take(find(May, 1) - May.begin());
  default:
    return take(DecisionPoint::Current->ask<int64_t>());
  }
}

void RegAlloc::take(int64_t Action) {
  const ColumnNumbers Numbers = describeColumn(Action);
  Progress[Spilled] += Numbers[Spills];
  Progress[Spent] += Numbers[Cost];
  if (Action < RegisterColumns)
    return Current->assign(Current->registers()[Action]);
  if (Action == Spill)
    return Current->spill();
  if (Action == SplitAtBlocks)
    return Current->splitAtBlocks();
  Current->splitAround(*Current->splitLoops()[Action - SplitAround]);
}

/// What LLVM's basic allocator would do. It takes a register only from live
/// ranges that weigh no more.
int64_t RegAlloc::asBasic() const {
  if (!Waiting.empty())
    return 0;
  const ArrayRef<RegisterColumn> Columns =
      Current->registers().take_front(RegisterColumns);
  const auto *Found =
      find_if(Columns, [](const RegisterColumn &C) { return C.isFree(); });
  if (Found == Columns.end())
    Found = find_if(Columns, [&](const RegisterColumn &C) {
      return C.IsLegal && all_of(C.Holders, [&](const LiveInterval *Holder) {
               return Holder->weight() <= Current->current().weight();
             });
    });
  return Found == Columns.end() ? Spill : Found - Columns.begin();
}

/// Copies that a free register saves, now or later. What waiting live ranges
/// could save with it is subtracted.
static float copiesSaved(const ColumnNumbers &Numbers) {
  return Numbers[SavesCopies] + Numbers[SavesLater] - Numbers[Denies];
}

/// The cheapest action, by the numbers of the columns that may be chosen.
int64_t RegAlloc::cheapest(ArrayRef<int64_t> May,
                           ArrayRef<ColumnNumbers> Numbers) const {
  if (!Waiting.empty())
    return 0;
  std::optional<int64_t> Free, Taken;
  for (int64_t Column = 0; Column != RegisterColumns; ++Column) {
    if (!May[Column])
      continue;
    if (Numbers[Column][IsFree] &&
        (!Free || copiesSaved(Numbers[Column]) > copiesSaved(Numbers[*Free])))
      Free = Column;
    if (!Taken || Numbers[Column][Cost] < Numbers[*Taken][Cost])
      Taken = Column;
  }
  if (Free)
    return *Free;
  if (!May[Spill])
    return *Taken;
  const float OfSpill = Numbers[Spill][Cost];
  const float Least =
      Taken ? std::min(OfSpill, Numbers[*Taken][Cost]) : OfSpill;
  for (int64_t Loop = SplitAround; Loop != Actions; ++Loop)
    if (May[Loop] && 3 * Numbers[Loop][Cost] < Least)
      return Loop;
  if (Least < OfSpill)
    return *Taken;
  return May[SplitAtBlocks] ? SplitAtBlocks : Spill;
}

//===----------------------------------------------------------------------===//
// What is seen of it
//===----------------------------------------------------------------------===//

ColumnNumbers RegAlloc::describeColumn(int64_t Action) const {
  if (Action < RegisterColumns)
    return describeRegister(*Current, Current->registers()[Action]);
  ColumnNumbers Numbers{};
  if (Action == Spill) {
    Numbers[Spills] = 1;
    Numbers[Heaviest] = finiteWeight(Current->current());
    Numbers[Cost] = spillCost(*Current, Current->current());
  } else if (Action >= SplitAround) {
    Numbers[Cost] =
        splitCost(*Current, *Current->splitLoops()[Action - SplitAround]);
  }
  return Numbers;
}

void RegAlloc::write(Tensors &To) const {
  const std::vector<int64_t> May = legal();
  To.set<int64_t>(MaskName, May);
  ProgressNumbers Shown = Progress;
  Shown[WaitingNow] = Current->waitingCount();
  To.set<float>(ProgressName, Shown);
  RangeNumbers Range{};
  if (Waiting.empty())
    Range = describeRange(*Current, Current->current());
  To.set<float>(RangeName, Range);
  if (isOrderAsked()) {
    To.set<int64_t>(PhaseName, Waiting.empty());
    std::vector<RangeNumbers> Numbers(Rows);
    for (auto [Row, LI] : enumerate(Waiting))
      Numbers[Row] = describeRange(*Current, *LI);
    for (auto [Number, Feature] : enumerate(RangeFeatures))
      for (auto [Row, Element] :
           enumerate(To.elements<float>(rowName(Feature))))
        Element = Numbers[Row][Number];
  }
  std::vector<ColumnNumbers> Numbers(Actions);
  if (Waiting.empty()) {
    const LaterCopies Later(*Current);
    for (auto [Action, IsLegal] : enumerate(May)) {
      if (!IsLegal)
        continue;
      Numbers[Action] = describeColumn(Action);
      if (int64_t(Action) < RegisterColumns)
        Later.describe(Current->registers()[Action].Register, Numbers[Action]);
    }
  }
  for (auto [Number, Feature] : enumerate(ColumnFeatures))
    for (auto [Action, Element] : enumerate(To.elements<float>(Feature.Name)))
      Element = Numbers[Action][Number];
  if (ShowsBasic)
    To.set<int64_t>(BasicName, asBasic());
  if (ShowsCheapest)
    To.set<int64_t>(CheapestName, cheapest(May, Numbers));
}

const MachineFunction *RegAlloc::machineFunction() const {
  return Current ? &Current->analyses().MF : nullptr;
}

std::optional<InterferenceGraph> RegAlloc::interference() const {
  if (!Current)
    return std::nullopt;
  return describeInterference(*Current);
}

static json::Object describe(const Allocation &Of, const LiveInterval &LI) {
  const MachineFunction &MF = Of.analyses().MF;
  const TargetRegisterInfo &TRI = *MF.getSubtarget().getRegisterInfo();
  return json::Object{
      {"virtual_register", nameOf(LI)},
      {"register_class",
       TRI.getRegClassName(MF.getRegInfo().getRegClass(LI.reg()))},
      {"spill_weight", finiteWeight(LI)}};
}

json::Object RegAlloc::describeDecision() const {
  json::Object Decision = Waiting.empty() ? describePlace() : describeRows();
  Decision["function"] = toText(machineFunction()->getName());
  return Decision;
}

json::Object RegAlloc::describeRows() const {
  json::Array Described;
  for (const LiveInterval *LI : Waiting)
    Described.push_back(::describe(*Current, *LI));
  return json::Object{{"rows", std::move(Described)}};
}

json::Object RegAlloc::describePlace() const {
  const TargetRegisterInfo &TRI =
      *machineFunction()->getSubtarget().getRegisterInfo();
  json::Object Decision = ::describe(*Current, Current->current());
  json::Array Columns;
  for (const RegisterColumn &Column :
       Current->registers().take_front(RegisterColumns)) {
    json::Array Holders;
    for (const LiveInterval *Holder : Column.Holders)
      Holders.push_back(nameOf(*Holder));
    Columns.push_back(json::Object{{"register", TRI.getName(Column.Register)},
                                   {"hint", Column.IsHint},
                                   {"spills", std::move(Holders)}});
  }
  Decision["columns"] = std::move(Columns);
  json::Array Loops;
  for (const MachineLoop *Loop : Current->splitLoops())
    Loops.push_back("%bb." + std::to_string(Loop->getHeader()->getNumber()));
  Decision["loops"] = std::move(Loops);
  return Decision;
}

std::string RegAlloc::decisionLabel() const {
  const std::string What =
      Waiting.empty() ? nameOf(Current->current()) : "the next live range";
  return What + " in " + machineFunction()->getName().str();
}
