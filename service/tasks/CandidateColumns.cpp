//===- CandidateColumns.cpp - What may be evicted for a live range --------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CandidateColumns.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/CodeGen/LiveInterval.h"
#include "llvm/CodeGen/LiveIntervalUnion.h"
#include "llvm/CodeGen/LiveRegMatrix.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/RegisterClassInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/VirtRegMap.h"

using namespace llvm;
using namespace mlcompiler;

/// The default of LLVM's -regalloc-eviction-max-interference-cutoff. Asking for
/// more would change what LLVM finds when it asks again.
static constexpr unsigned Cutoff = 10;

CandidateColumns::CandidateColumns(const LiveInterval &LI, VirtRegMap &VRM,
                                   const RegisterClassInfo &Classes,
                                   LiveRegMatrix &Matrix)
    : LI(LI), Matrix(Matrix), TRI(VRM.getTargetRegInfo()) {
  const MachineFunction &MF = VRM.getMachineFunction();
  ArrayRef<MCPhysReg> Order =
      Classes.getOrder(MF.getRegInfo().getRegClass(LI.reg()));
  SmallVector<MCPhysReg, 16> Hinted;
  const bool HintsOnly =
      TRI.getRegAllocationHints(LI.reg(), Order, Hinted, MF, &VRM, &Matrix);
  Registers = withoutRepeats(Hinted);
  Hints = Registers.size();
  if (HintsOnly)
    return;
  for (MCPhysReg Register : Order)
    if (!is_contained(Hinted, Register))
      Registers.push_back(Register);
}

SmallVector<MCPhysReg, 16>
mlcompiler::withoutRepeats(ArrayRef<MCPhysReg> Hints) {
  SmallVector<MCPhysReg, 16> Once;
  for (MCPhysReg Register : Hints)
    if (!is_contained(Once, Register))
      Once.push_back(Register);
  return Once;
}

int64_t CandidateColumns::columnOf(MCRegister Register) const {
  return find(Registers, Register.id()) - Registers.begin();
}

SmallVector<const LiveInterval *, 8>
CandidateColumns::interfering(size_t Column) const {
  SmallVector<const LiveInterval *, 8> Found;
  SmallPtrSet<const LiveInterval *, 8> Seen;
  MCRegister Register(Registers[Column]);
  if (Matrix.checkInterference(LI, Register) > LiveRegMatrix::IK_VirtReg)
    return Found;
  for (MCRegUnit Unit : TRI.regunits(Register))
    for (const LiveInterval *Other :
         Matrix.query(LI, Unit).interferingVRegs(Cutoff))
      if (Seen.insert(Other).second)
        Found.push_back(Other);
  // Equal weights are ordered by number, because an order by addresses would
  // vary.
  llvm::sort(Found, [](const LiveInterval *A, const LiveInterval *B) {
    return std::make_pair(-A->weight(), A->reg().id()) <
           std::make_pair(-B->weight(), B->reg().id());
  });
  return Found;
}

float mlcompiler::finiteWeight(const LiveInterval &LI) {
  return std::min(LI.weight(), std::numeric_limits<float>::max());
}

std::string mlcompiler::nameOf(const LiveInterval &LI) {
  return "%" + std::to_string(LI.reg().virtRegIndex());
}
