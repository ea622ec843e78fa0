//===- FrequencyPass.cpp - A look at each machine function ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "FrequencyPass.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineFunctionPass.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class FrequencyPass : public MachineFunctionPass {
public:
  explicit FrequencyPass(FunctionVisitor Visit)
      : MachineFunctionPass(ID), Visit(std::move(Visit)) {}

  StringRef getPassName() const override { return "Block frequencies"; }

  bool runOnMachineFunction(MachineFunction &MF) override {
    Visit(MF, getAnalysis<MachineBlockFrequencyInfoWrapperPass>().getMBFI());
    return false;
  }

  void getAnalysisUsage(AnalysisUsage &AU) const override {
    AU.setPreservesAll();
    AU.addRequired<MachineBlockFrequencyInfoWrapperPass>();
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
