//===- Allocation.cpp - The registers of one function ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Allocation.h"
#include "CandidateColumns.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/LiveDebugVariables.h"
#include "llvm/CodeGen/LiveIntervalUnion.h"
#include "llvm/CodeGen/LiveRegMatrix.h"
#include "llvm/CodeGen/LiveStacks.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineDominators.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/VirtRegMap.h"

using namespace llvm;
using namespace mlcompiler;

/// The most times that a live range is split, so that splitting comes to an
/// end.
static constexpr unsigned MostSplits = 6;

Allocation::Allocation(const AllocationAnalyses &Analyses, RangeOrder Order)
    : A(Analyses), Order(Order), MRI(A.MF.getRegInfo()),
      Weights(A.MF, A.LIS, A.VRM, A.Loops, A.Frequencies, &A.Profile),
      Splitter(A.LIS, A.VRM, A.Loops, A.Dominators, A.Frequencies, Weights) {
  MRI.freezeReservedRegs();
  Classes.runOnMachineFunction(A.MF);
  Weights.calculateSpillWeightsAndHints();
  TheSpiller.reset(createInlineSpiller(
      {A.LIS, A.Stacks, A.Dominators, A.Frequencies}, A.MF, A.VRM, Weights));
  for (unsigned I = 0, E = MRI.getNumVirtRegs(); I != E; ++I) {
    const Register Reg = Register::index2VirtReg(I);
    if (!MRI.reg_nodbg_empty(Reg))
      enqueue(Reg);
  }
}

//===----------------------------------------------------------------------===//
// The queue
//===----------------------------------------------------------------------===//

bool Allocation::isBehind(const Entry &One, const Entry &Other) const {
  // For equal weights, nothing else decides, so that they come in the same
  // order as in LLVM.
  if (Order == RangeOrder::Weight)
    return One.Rank < Other.Rank;
  return std::make_tuple(One.IsAhead, One.Rank, Other.Reg.id()) <
         std::make_tuple(Other.IsAhead, Other.Rank, One.Reg.id());
}

/// Whether a live range lies within one block. A live range of undefined values
/// may have uses and yet be live nowhere.
static bool isLocal(const LiveIntervals &LIS, const LiveInterval &LI) {
  return LI.empty() || LIS.intervalIsInOneMBB(LI);
}

void Allocation::enqueue(Register Reg) {
  if (A.VRM.hasPhys(Reg))
    return;
  const LiveInterval &Of = A.LIS.getInterval(Reg);
  Entry Added{Reg, true, Of.empty() ? 0.0 : double(Of.getSize())};
  if (Order == RangeOrder::Weight) {
    Added.Rank = Of.weight();
  } else if (Order == RangeOrder::GlobalFirst && isLocal(A.LIS, Of)) {
    Added.IsAhead = false;
    Added.Rank = Of.empty() ? 0
                            : Of.beginIndex().getApproxInstrDistance(
                                  A.LIS.getSlotIndexes()->getLastIndex());
  }
  Queue.push_back(Added);
  std::push_heap(
      Queue.begin(), Queue.end(),
      [&](const Entry &X, const Entry &Y) { return isBehind(X, Y); });
}

/// Drops a live range from the queue if editing has left no use of it.
bool Allocation::dropIfUnused(Register Reg) {
  if (!MRI.reg_nodbg_empty(Reg))
    return false;
  A.LIS.removeInterval(Reg);
  return true;
}

SmallVector<const LiveInterval *, 16> Allocation::waiting(size_t Most) {
  erase_if(Queue, [&](const Entry &E) { return dropIfUnused(E.Reg); });
  std::vector<Entry> Front(std::min(Most, Queue.size()));
  std::partial_sort_copy(Queue.begin(), Queue.end(), Front.begin(), Front.end(),
                         [&](const Entry &X, const Entry &Y) {
                           if (isBehind(Y, X) || isBehind(X, Y))
                             return isBehind(Y, X);
                           return X.Reg.id() < Y.Reg.id();
                         });
  SmallVector<const LiveInterval *, 16> Found;
  for (const Entry &E : Front)
    Found.push_back(&A.LIS.getInterval(E.Reg));
  return Found;
}

bool Allocation::takeFirst() {
  while (!Queue.empty()) {
    std::pop_heap(
        Queue.begin(), Queue.end(),
        [&](const Entry &X, const Entry &Y) { return isBehind(X, Y); });
    const Register Reg = Queue.back().Reg;
    Queue.pop_back();
    if (dropIfUnused(Reg))
      continue;
    LI = &A.LIS.getInterval(Reg);
    examine();
    return true;
  }
  return false;
}

void Allocation::take(const LiveInterval &Taken) {
  std::swap(
      *find_if(Queue, [&](const Entry &E) { return E.Reg == Taken.reg(); }),
      Queue.back());
  Queue.pop_back();
  LI = &Taken;
  examine();
}

unsigned Allocation::splits(const LiveInterval &Of) const {
  return Histories.lookup(Of.reg().id()).Splits;
}

//===----------------------------------------------------------------------===//
// What may be done
//===----------------------------------------------------------------------===//

void Allocation::findFixedCopies() {
  FixedCopies.clear();
  for (const MachineBasicBlock &MBB : A.MF)
    for (const MachineInstr &MI : MBB) {
      if (!MI.isFullCopy())
        continue;
      Register Range = MI.getOperand(0).getReg();
      Register Fixed = MI.getOperand(1).getReg();
      if (Range.isPhysical())
        std::swap(Range, Fixed);
      if (Range.isVirtual() && Fixed.isPhysical())
        FixedCopies.push_back(
            {Range, Fixed.asMCReg(),
             A.Frequencies.getBlockFreqRelativeToEntryBlock(&MBB)});
    }
  IsEdited = false;
}

void Allocation::examine() {
  if (IsEdited)
    findFixedCopies();
  // Live ranges may have changed since the last query.
  A.Matrix.invalidateVirtRegs();
  Columns.clear();
  const TargetRegisterInfo &TRI = A.VRM.getTargetRegInfo();
  CandidateColumns Candidates(*LI, A.VRM, Classes, A.Matrix);
  for (auto [Number, Register] : enumerate(Candidates.registers())) {
    RegisterColumn &Column = Columns.emplace_back();
    Column.Register = Register;
    Column.IsHint = Candidates.isHint(Number);
    const auto Kind = A.Matrix.checkInterference(*LI, Register);
    Column.IsLegal = Kind <= LiveRegMatrix::IK_VirtReg;
    if (Kind != LiveRegMatrix::IK_VirtReg)
      continue;
    // Holders come in the order in which LLVM's basic allocator spills them.
    for (MCRegUnit Unit : TRI.regunits(Register))
      for (const LiveInterval *Holder :
           reverse(A.Matrix.query(*LI, Unit).interferingVRegs())) {
        Column.IsLegal &= Holder->isSpillable();
        if (!is_contained(Column.Holders, Holder))
          Column.Holders.push_back(Holder);
      }
  }

  const History Before = Histories.lookup(LI->reg().id());
  BlocksCanSplit = false;
  Loops.clear();
  if (!LI->isSpillable() || Before.Splits == MostSplits || isLocal(A.LIS, *LI))
    return;
  Splitter.look(*LI);
  BlocksCanSplit = !Before.IsRest &&
                   Splitter.canSplitAtBlocks(
                       Classes.isProperSubClass(MRI.getRegClass(LI->reg())));
  for (const MachineLoop *Loop : Splitter.loops())
    if (!Before.Inside ||
        (Loop != Before.Inside && Before.Inside->contains(Loop)))
      Loops.push_back(Loop);
}

//===----------------------------------------------------------------------===//
// What is done
//===----------------------------------------------------------------------===//

bool Allocation::LRE_CanEraseVirtReg(Register Reg) {
  if (!A.VRM.hasPhys(Reg)) {
    // The live range waits, or is the current one, and is dropped when its turn
    // comes.
    A.LIS.getInterval(Reg).clear();
    return false;
  }
  A.Matrix.unassign(A.LIS.getInterval(Reg));
  return true;
}

void Allocation::LRE_WillShrinkVirtReg(Register Reg) {
  if (!A.VRM.hasPhys(Reg))
    return;
  A.Matrix.unassign(A.LIS.getInterval(Reg));
  enqueue(Reg);
}

void Allocation::LRE_DidCloneVirtReg(Register Copy, Register Old) {
  const History Inherited = Histories.lookup(Old.id());
  Histories[Copy.id()] = Inherited;
}

void Allocation::spill(const LiveInterval &Range) {
  IsEdited = true;
  LiveRangeEdit Edit(&Range, New, A.MF, A.LIS, &A.VRM, this, &DeadRemats);
  TheSpiller->spill(Edit);
  for (Register Reg : TheSpiller->getSpilledRegs())
    A.DebugVariables.splitRegister(Reg, Edit.regs(), A.LIS);
  for (Register Reg : TheSpiller->getReplacedRegs())
    A.DebugVariables.splitRegister(Reg, Edit.regs(), A.LIS);
}

void Allocation::enqueueNew() {
  LI = nullptr;
  for (Register Reg : New)
    if (!dropIfUnused(Reg))
      enqueue(Reg);
  New.clear();
}

void Allocation::assign(const RegisterColumn &Column) {
  for (const LiveInterval *Holder : Column.Holders) {
    // Spilling a holder may also have spilled the next one, which is a copy of
    // it.
    if (!A.VRM.hasPhys(Holder->reg()))
      continue;
    A.Matrix.unassign(*Holder);
    spill(*Holder);
  }
  // The same may have happened to the current live range.
  if (!dropIfUnused(LI->reg()))
    A.Matrix.assign(*LI, Column.Register);
  enqueueNew();
}

void Allocation::spill() {
  spill(*LI);
  enqueueNew();
}

void Allocation::split(function_ref<void(LiveRangeEdit &)> Cut) {
  IsEdited = true;
  const Register Reg = LI->reg();
  LiveRangeEdit Edit(LI, New, A.MF, A.LIS, &A.VRM, this, &DeadRemats);
  Cut(Edit);
  A.DebugVariables.splitRegister(Reg, Edit.regs(), A.LIS);
}

void Allocation::splitAtBlocks() {
  History Piece = Histories.lookup(LI->reg().id());
  ++Piece.Splits;
  SmallVector<unsigned, 8> Pieces;
  split([&](LiveRangeEdit &Edit) {
    Splitter.splitAtBlocks(
        Edit, Classes.isProperSubClass(MRI.getRegClass(LI->reg())), Pieces);
  });
  for (auto [Reg, Number] : zip_equal(New, Pieces)) {
    Piece.IsRest = !Number;
    Histories[Reg.id()] = Piece;
  }
  enqueueNew();
}

void Allocation::splitAround(const MachineLoop &Loop) {
  History Piece = Histories.lookup(LI->reg().id());
  ++Piece.Splits;
  SmallVector<unsigned, 8> Pieces;
  split([&](LiveRangeEdit &Edit) { Splitter.splitAround(Loop, Edit, Pieces); });
  for (auto [Reg, Number] : zip_equal(New, Pieces)) {
    History &Of = Histories[Reg.id()] = Piece;
    if (Number)
      Of.Inside = &Loop;
  }
  enqueueNew();
}

bool Allocation::displace() {
  const unsigned Own = Histories.lookup(LI->reg().id()).Cascade;
  const unsigned Next = Own ? Own : ++Cascades;
  for (const RegisterColumn &Column : Columns) {
    if (Column.Holders.empty() ||
        A.Matrix.checkInterference(*LI, Column.Register) !=
            LiveRegMatrix::IK_VirtReg ||
        any_of(Column.Holders, [&](const LiveInterval *Holder) {
          return Histories.lookup(Holder->reg().id()).Cascade >= Next;
        }))
      continue;
    Histories[LI->reg().id()].Cascade = Next;
    for (const LiveInterval *Holder : Column.Holders) {
      Histories[Holder->reg().id()].Cascade = Next;
      A.Matrix.unassign(*Holder);
      New.push_back(Holder->reg());
    }
    A.Matrix.assign(*LI, Column.Register);
    enqueueNew();
    return true;
  }
  return false;
}

void Allocation::finish() {
  TheSpiller->postOptimization();
  for (MachineInstr *Dead : DeadRemats) {
    A.LIS.RemoveMachineInstrFromMaps(*Dead);
    Dead->eraseFromParent();
  }
  DeadRemats.clear();
}
