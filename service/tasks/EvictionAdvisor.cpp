//===- EvictionAdvisor.cpp - Who asks what to evict -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "EvictionAdvisor.h"
#include "AllocationOrder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/LiveInterval.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/RegisterClassInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"

using namespace llvm;
using namespace mlcompiler;

const policy::Kind &mlcompiler::evictionKind() {
  static const policy::Kind Eviction = [] {
    policy::Kind K;
    K.Task = "regalloc_eviction";
    K.Actions = EvictionColumns;
    K.Heuristic.emplace();
    K.Heuristic->Feature = EvictionDefaultName;
    K.Inactive = EvictNothing;
    return K;
  }();
  return Eviction;
}

static constexpr EvictionFeature Features[] = {
    {EvictionMaskName, false, 1, "1: this column may be chosen"},
    {"is_free", false, 1, "1: nothing has to be evicted for this register"},
    {"nr_urgent", true, 1,
     "live ranges of a cascade as new as this one's, evicted all the same "
     "because this one cannot be spilled; divided by the largest in the row"},
    {"nr_broken_hints", true, 1,
     "evicted live ranges that lose the register that they were hinted to; "
     "divided by the largest in the row"},
    {"is_hint", false, 1, "1: this register is a hint of the live range"},
    {"is_local", false, 2147483647.0,
     "evicted live ranges that, like this one, lie within one block and cannot "
     "be given another register"},
    {"nr_rematerializable", true, 1,
     "evicted live ranges that can be computed again instead of reloaded; "
     "divided by the largest in the row"},
    {"nr_defs_and_uses", true, 1,
     "instructions that define or use the evicted live ranges; divided by the "
     "largest in the row"},
    {"weighed_reads_by_max", true, 1,
     "block-frequency-weighted reads; divided by the largest in the row"},
    {"weighed_writes_by_max", true, 1,
     "block-frequency-weighted writes; divided by the largest in the row"},
    {"weighed_read_writes_by_max", true, 1,
     "block-frequency-weighted reads that also write; divided by the largest "
     "in the row"},
    {"weighed_indvars_by_max", true, 1,
     "block-frequency-weighted updates of induction variables; divided by the "
     "largest in the row"},
    {"hint_weights_by_max", true, 1,
     "block-frequency-weighted copies that a hint would remove; divided by the "
     "largest in the row"},
    {"start_bb_freq_by_max", true, 1,
     "frequency of the block in which the live ranges begin; divided by the "
     "largest in the row"},
    {"end_bb_freq_by_max", true, 1,
     "frequency of the block in which the live ranges end; divided by the "
     "largest in the row"},
    {"hottest_bb_freq_by_max", true, 1,
     "frequency of the hottest block with a use; divided by the largest in the "
     "row"},
    {"liverange_size", true, 1,
     "slots from the first beginning to the last end; divided by the largest "
     "in the row"},
    {"use_def_density", true, 1,
     "largest spill weight among the live ranges; divided by the largest in "
     "the row, or 1 where it must not be spilled"},
    {"max_stage", false, 5,
     "latest LiveRangeStage among the live ranges, 0 (new) to 5 (done)"},
    {"min_stage", false, 5, "earliest LiveRangeStage among them"},
};

ArrayRef<EvictionFeature> mlcompiler::evictionFeatures() { return Features; }

MCRegister EvictionAdvisor::tryFindEvictionCandidate(
    const LiveInterval &Asked, const AllocationOrder &AskedOrder, uint8_t Limit,
    const SmallVirtRegSet &Fixed) const {
  // LLVM gives each entry a column. With repeated hints, it would write behind
  // the last column.
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
  VirtReg = &Asked;
  Order = &AskedOrder;
  CostPerUseLimit = Limit;
  FixedRegisters = &Fixed;
  if (Registers > EvictNothing) {
    Listener.tooManyRegisters(
        MF, TRI->getRegClassName(MRI->getRegClass(Asked.reg())), Registers);
    return askHeuristic();
  }
  Listener.asked(*this);
  return Stock->tryFindEvictionCandidate(Asked, AskedOrder, Limit, Fixed);
}

MCRegister EvictionAdvisor::askHeuristic() const {
  // This function is public only in the base class.
  const RegAllocEvictionAdvisor &Advisor = Heuristic;
  return Advisor.tryFindEvictionCandidate(*VirtReg, *Order, CostPerUseLimit,
                                          *FixedRegisters);
}

int64_t EvictionAdvisor::heuristicColumn(
    function_ref<bool(int64_t Column)> IsLegal) const {
  const MCRegister Chosen = askHeuristic();
  const int64_t Column = Chosen ? columns().columnOf(Chosen) : EvictNothing;
  if (IsLegal(Column))
    return Column;
  if (IsLegal(EvictNothing))
    return EvictNothing;
  int64_t First = 0;
  while (First != EvictNothing && !IsLegal(First))
    ++First;
  return First;
}

EvictionAdvisor::Weights EvictionAdvisor::weights() const {
  Weights Values{};
  CandidateColumns Candidates = columns();
  for (size_t C = 0; C != Candidates.registers().size(); ++C) {
    size_t W = 0;
    for (const LiveInterval *LI : Candidates.interfering(C))
      if (W != EvictionWeights)
        Values[C * EvictionWeights + W++] = finiteWeight(*LI);
  }
  Values[EvictNothing * EvictionWeights] = finiteWeight(*VirtReg);
  return Values;
}
