//===- FrequencyPass.cpp - A look at each machine function ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "FrequencyPass.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineBranchProbabilityInfo.h"
#include "llvm/CodeGen/MachineFunctionPass.h"
#include "llvm/CodeGen/MachineLoopInfo.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// A conditional jump out of a function has no successor block. A loop whose
/// only exit is such a jump would seem to run for ever. So each such jump gets
/// a successor while this object lives.
class ConditionalExits {
public:
  explicit ConditionalExits(MachineFunction &MF) : MF(MF) {
    for (MachineBasicBlock &MBB : MF)
      if (!MBB.succ_empty() && any_of(MBB.terminators(), isReturn))
        addExit(MBB);
  }

  ~ConditionalExits() {
    for (MachineBasicBlock *MBB : Leaving)
      MBB->removeSuccessor(Exit);
    if (Exit)
      MF.erase(Exit);
  }

private:
  static bool isReturn(const MachineInstr &MI) { return MI.isReturn(); }

  void addExit(MachineBasicBlock &MBB) {
    auto Left = BranchProbability::getOne();
    for (auto It = MBB.succ_begin(); It != MBB.succ_end(); ++It)
      Left -= MBB.getSuccProbability(It);
    if (Left.isZero())
      return;
    if (!Exit) {
      Exit = MF.CreateMachineBasicBlock();
      MF.push_back(Exit);
    }
    MBB.addSuccessor(Exit, Left);
    Leaving.push_back(&MBB);
  }

  MachineFunction &MF;
  MachineBasicBlock *Exit = nullptr;
  SmallVector<MachineBasicBlock *, 4> Leaving;
};

class FrequencyPass : public MachineFunctionPass {
public:
  explicit FrequencyPass(FunctionVisitor Visit)
      : MachineFunctionPass(ID), Visit(std::move(Visit)) {}

  StringRef getPassName() const override { return "Block frequencies"; }

  bool runOnMachineFunction(MachineFunction &MF) override {
    MachineBlockFrequencyInfo Frequencies;
    {
      const ConditionalExits Exits(MF);
      Frequencies.calculate(
          MF, getAnalysis<MachineBranchProbabilityInfoWrapperPass>().getMBPI(),
          getAnalysis<MachineLoopInfoWrapperPass>().getLI());
    }
    Visit(MF, Frequencies);
    return false;
  }

  void getAnalysisUsage(AnalysisUsage &AU) const override {
    AU.setPreservesAll();
    AU.addRequired<MachineBranchProbabilityInfoWrapperPass>();
    AU.addRequired<MachineLoopInfoWrapperPass>();
    MachineFunctionPass::getAnalysisUsage(AU);
  }

  static char ID;

private:
  const FunctionVisitor Visit;
};

} // namespace

char FrequencyPass::ID = 0;

Pass *mlcompiler::createFrequencyPass(FunctionVisitor Visit) {
  return new FrequencyPass(std::move(Visit));
}
