//===- AllocationFeatures.cpp - What an allocation looks like -------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "AllocationFeatures.h"
#include "llvm/CodeGen/LiveRegMatrix.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/TargetInstrInfo.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/CodeGen/VirtRegMap.h"

using namespace llvm;
using namespace mlcompiler;

// The weights of LLVM's RegAllocScore.
static constexpr double LoadWeight = 4, StoreWeight = 1, CopyWeight = 0.2;

namespace {

/// How instructions use a live range.
struct Uses {
  double Reads = 0;
  double Writes = 0;
  double Copies = 0;
  double Hottest = 0;
  unsigned Operands = 0;
  unsigned Depth = 0;
};

} // namespace

static Uses countUses(const AllocationAnalyses &A, const LiveInterval &LI) {
  Uses Found;
  // An instruction that reads and writes the live range has an operand for
  // each.
  for (MachineOperand &MO : A.MF.getRegInfo().reg_nodbg_operands(LI.reg())) {
    const MachineInstr &MI = *MO.getParent();
    const double Frequency =
        A.Frequencies.getBlockFreqRelativeToEntryBlock(MI.getParent());
    Found.Reads += MO.readsReg() ? Frequency : 0;
    Found.Writes += MO.isDef() ? Frequency : 0;
    Found.Copies += MI.isCopy() ? Frequency : 0;
    Found.Hottest = std::max(Found.Hottest, Frequency);
    Found.Depth = std::max(Found.Depth, A.Loops.getLoopDepth(MI.getParent()));
    ++Found.Operands;
  }
  return Found;
}

static bool isRematerializable(const AllocationAnalyses &A,
                               const LiveInterval &LI) {
  return VirtRegAuxInfo::isRematerializable(
      LI, A.LIS, A.VRM, A.MF.getRegInfo(), *A.MF.getSubtarget().getInstrInfo());
}

static float atMostFinite(double Value) {
  return std::min<double>(Value, std::numeric_limits<float>::max());
}

static float shownWeight(const LiveInterval &LI) {
  return LI.isSpillable() ? atMostFinite(LI.weight()) : 0;
}

RangeNumbers mlcompiler::describeRange(const Allocation &Of,
                                       const LiveInterval &LI) {
  const AllocationAnalyses &A = Of.analyses();
  const Uses Found = countUses(A, LI);
  return {shownWeight(LI),
          float(LI.isSpillable()),
          LI.empty() ? 0 : float(LI.getSize()) / SlotIndex::InstrDist,
          float(Found.Operands),
          atMostFinite(Found.Reads),
          atMostFinite(Found.Writes),
          atMostFinite(Found.Copies),
          atMostFinite(Found.Hottest),
          float(Found.Depth),
          float(LI.empty() || A.LIS.intervalIsInOneMBB(LI)),
          float(isRematerializable(A, LI)),
          float(A.Matrix.checkRegMaskInterference(LI)),
          float(Of.classes().getNumAllocatableRegs(
              A.MF.getRegInfo().getRegClass(LI.reg()))),
          float(Of.splits(LI))};
}

float mlcompiler::spillCost(const Allocation &Of, const LiveInterval &LI) {
  const AllocationAnalyses &A = Of.analyses();
  const Uses Found = countUses(A, LI);
  // Most values that can be computed again are as cheap as a copy.
  if (isRematerializable(A, LI))
    return atMostFinite(CopyWeight * Found.Reads);
  return atMostFinite(LoadWeight * Found.Reads + StoreWeight * Found.Writes);
}

float mlcompiler::splitCost(const Allocation &Of, const MachineLoop &Loop) {
  const MachineBlockFrequencyInfo &Frequencies = Of.analyses().Frequencies;
  double Copies =
      Frequencies.getBlockFreqRelativeToEntryBlock(Loop.getLoopPreheader());
  SmallVector<MachineBasicBlock *, 4> Exits;
  Loop.getUniqueExitBlocks(Exits);
  for (const MachineBasicBlock *Exit : Exits)
    Copies += Frequencies.getBlockFreqRelativeToEntryBlock(Exit);
  return atMostFinite(CopyWeight * Copies);
}

/// Frequency-weighted copies between a live range and live ranges in a
/// register.
static double copiesSaved(const AllocationAnalyses &A, const LiveInterval &LI,
                          MCRegister PhysReg) {
  double Saved = 0;
  for (MachineInstr &MI : A.MF.getRegInfo().reg_nodbg_instructions(LI.reg())) {
    if (!MI.isFullCopy())
      continue;
    const Register From = MI.getOperand(1).getReg();
    const Register Other = From == LI.reg() ? MI.getOperand(0).getReg() : From;
    if ((Other.isVirtual() ? A.VRM.getPhys(Other) : Other.asMCReg()) == PhysReg)
      Saved += A.Frequencies.getBlockFreqRelativeToEntryBlock(MI.getParent());
  }
  return Saved;
}

ColumnNumbers mlcompiler::describeRegister(const Allocation &Of,
                                           const RegisterColumn &Column) {
  const AllocationAnalyses &A = Of.analyses();
  float Largest = 0;
  double Sum = 0;
  for (const LiveInterval *Holder : Column.Holders) {
    Largest = std::max(Largest, shownWeight(*Holder));
    Sum += spillCost(Of, *Holder);
  }
  return {float(Column.isFree()),
          float(Column.IsHint),
          atMostFinite(copiesSaved(A, Of.current(), Column.Register)),
          0,
          0,
          float(Of.classes().getLastCalleeSavedAlias(Column.Register) &&
                !A.Matrix.isPhysRegUsed(Column.Register)),
          float(Column.Holders.size()),
          Largest,
          atMostFinite(Sum)};
}

/// Frequency-weighted copies between two live ranges.
static double copiesBetween(const AllocationAnalyses &A, const LiveInterval &LI,
                            Register Other) {
  double Sum = 0;
  for (MachineInstr &MI : A.MF.getRegInfo().reg_nodbg_instructions(LI.reg()))
    if (MI.isFullCopy() && (MI.getOperand(0).getReg() == Other ||
                            MI.getOperand(1).getReg() == Other))
      Sum += A.Frequencies.getBlockFreqRelativeToEntryBlock(MI.getParent());
  return Sum;
}

LaterCopies::LaterCopies(const Allocation &Of)
    : TRI(Of.analyses().VRM.getTargetRegInfo()) {
  const AllocationAnalyses &A = Of.analyses();
  const LiveInterval &Current = Of.current();
  for (const FixedCopy &Copy : Of.fixedCopies()) {
    if (Copy.Range == Current.reg() || A.VRM.hasPhys(Copy.Range) ||
        !A.LIS.hasInterval(Copy.Range))
      continue;
    const LiveInterval &Other = A.LIS.getInterval(Copy.Range);
    if (Other.empty())
      continue;
    const bool Interferes = Other.overlaps(Current);
    const double Frequency =
        Interferes ? Copy.Frequency : copiesBetween(A, Current, Copy.Range);
    if (Frequency && A.Matrix.checkInterference(Other, Copy.Register) ==
                         LiveRegMatrix::IK_Free)
      All.push_back(
          {Copy.Register, Interferes ? Denies : SavesLater, Frequency});
  }
}

void LaterCopies::describe(MCRegister Register, ColumnNumbers &Numbers) const {
  for (const Found &Each : All)
    if (Each.Number == Denies ? TRI.regsOverlap(Each.Register, Register)
                              : Each.Register == Register)
      Numbers[Each.Number] =
          atMostFinite(Numbers[Each.Number] + Each.Frequency);
}
