//===- AllocatorPass.cpp - A register allocator of our own ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "AllocatorPass.h"
#include "llvm/Analysis/AliasAnalysis.h"
#include "llvm/Analysis/ProfileSummaryInfo.h"
#include "llvm/CodeGen/LiveDebugVariables.h"
#include "llvm/CodeGen/LiveRegMatrix.h"
#include "llvm/CodeGen/LiveStacks.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineDominators.h"
#include "llvm/CodeGen/MachineFunctionPass.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/CodeGen/RegAllocRegistry.h"
#include "llvm/CodeGen/VirtRegMap.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class AllocatorPass : public MachineFunctionPass {
public:
  explicit AllocatorPass(AllocationDriver &Driver)
      : MachineFunctionPass(ID), Driver(Driver) {}

  StringRef getPassName() const override { return "Steered allocator"; }
  bool runOnMachineFunction(MachineFunction &MF) override;
  // The pass requires and keeps the same analyses as LLVM's own allocators, so
  // that other passes compute the same.
  void getAnalysisUsage(AnalysisUsage &AU) const override;
  MachineFunctionProperties getRequiredProperties() const override {
    return MachineFunctionProperties().setNoPHIs();
  }
  MachineFunctionProperties getClearedProperties() const override {
    return MachineFunctionProperties().setIsSSA();
  }

  static char ID;

private:
  AllocationDriver &Driver;
};

} // namespace

char AllocatorPass::ID = 0;

void AllocatorPass::getAnalysisUsage(AnalysisUsage &AU) const {
  AU.setPreservesCFG();
  AU.addRequired<AAResultsWrapperPass>();
  AU.addPreserved<AAResultsWrapperPass>();
  AU.addRequired<LiveIntervalsWrapperPass>();
  AU.addPreserved<LiveIntervalsWrapperPass>();
  AU.addPreserved<SlotIndexesWrapperPass>();
  AU.addRequired<LiveDebugVariablesWrapperLegacy>();
  AU.addPreserved<LiveDebugVariablesWrapperLegacy>();
  AU.addRequired<LiveStacksWrapperLegacy>();
  AU.addPreserved<LiveStacksWrapperLegacy>();
  AU.addRequired<ProfileSummaryInfoWrapperPass>();
  AU.addRequired<MachineBlockFrequencyInfoWrapperPass>();
  AU.addPreserved<MachineBlockFrequencyInfoWrapperPass>();
  AU.addRequired<MachineDominatorTreeWrapperPass>();
  AU.addPreserved<MachineDominatorTreeWrapperPass>();
  AU.addRequired<MachineLoopInfoWrapperPass>();
  AU.addPreserved<MachineLoopInfoWrapperPass>();
  AU.addRequired<VirtRegMapWrapperLegacy>();
  AU.addPreserved<VirtRegMapWrapperLegacy>();
  AU.addRequired<LiveRegMatrixWrapperLegacy>();
  AU.addPreserved<LiveRegMatrixWrapperLegacy>();
  MachineFunctionPass::getAnalysisUsage(AU);
}

bool AllocatorPass::runOnMachineFunction(MachineFunction &MF) {
  Driver.allocate(
      {MF, getAnalysis<LiveIntervalsWrapperPass>().getLIS(),
       getAnalysis<VirtRegMapWrapperLegacy>().getVRM(),
       getAnalysis<LiveRegMatrixWrapperLegacy>().getLRM(),
       getAnalysis<LiveStacksWrapperLegacy>().getLS(),
       getAnalysis<LiveDebugVariablesWrapperLegacy>().getLDV(),
       getAnalysis<MachineLoopInfoWrapperPass>().getLI(),
       getAnalysis<MachineDominatorTreeWrapperPass>().getDomTree(),
       getAnalysis<MachineBlockFrequencyInfoWrapperPass>().getMBFI(),
       getAnalysis<ProfileSummaryInfoWrapperPass>().getPSI()});
  return true;
}

/// The driver in use. LLVM passes no argument to the function that makes an
/// allocator.
static AllocationDriver *InUse = nullptr;

void mlcompiler::useAllocator(AllocationDriver &Driver) {
  InUse = &Driver;
  RegisterRegAlloc::setDefault(
      []() -> FunctionPass * { return new AllocatorPass(*InUse); });
}
