//===- BlockCycles.cpp - llvm-mca's cycles, block by block ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockCycles.h"
#include "BlockStreamer.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCExpr.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrAnalysis.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/MCA/CustomBehaviour.h"
#include "llvm/MCA/InstrBuilder.h"
#include "llvm/MCA/Support.h"
#include "llvm/Target/TargetMachine.h"
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// llvm-mca's library warns of every call and return on stderr, which is the
/// client's.
class SilentStderr {
public:
  SilentStderr() : Saved(dup(STDERR_FILENO)) {
    // That is where standard input comes from; a session can open no file.
    dup2(STDIN_FILENO, STDERR_FILENO);
  }
  ~SilentStderr() {
    dup2(Saved, STDERR_FILENO);
    close(Saved);
  }

private:
  const int Saved;
};

/// What llvm-mca's summary works out of a block.
class ThroughputModel {
public:
  ThroughputModel(const MCSubtargetInfo &STI, const MCInstrInfo &Instructions,
                  const MCRegisterInfo &Registers,
                  const MCInstrAnalysis *Analysis)
      : Model(STI.getSchedModel()), Instruments(STI, Instructions),
        Builder(STI, Instructions, Registers, Analysis, Instruments,
                /*CallLatency=*/100),
        Masks(Model.getNumProcResourceKinds()) {
    mca::computeProcResourceMasks(Model, Masks);
    for (unsigned I = 1; I < Masks.size(); ++I)
      ResourceOf[mca::getResourceStateIndex(Masks[I])] = I;
  }

  /// Cycles per execution of the block, if it were executed over and over.
  double cycles(ArrayRef<MCInst> Block) {
    unsigned MicroOps = 0;
    SmallVector<unsigned, 32> Usage(Masks.size());
    // It remembers instructions by their addresses.
    Builder.clear();
    for (const MCInst &Each : Block) {
      auto Instruction = Builder.createInstruction(Each, {});
      if (!Instruction) {
        // Without a scheduling class of its own, it still has to be issued.
        consumeError(Instruction.takeError());
        ++MicroOps;
        continue;
      }
      MicroOps += (*Instruction)->getNumMicroOps();
      for (const auto &[Mask, Used] : (*Instruction)->getDesc().Resources)
        if (Used.size())
          Usage[ResourceOf[mca::getResourceStateIndex(Mask)]] += Used.size();
    }
    return mca::computeBlockRThroughput(Model, Model.IssueWidth, MicroOps,
                                        Usage);
  }

private:
  const MCSchedModel &Model;
  mca::InstrumentManager Instruments;
  mca::InstrBuilder Builder;
  SmallVector<uint64_t, 32> Masks;
  DenseMap<unsigned, unsigned> ResourceOf;
};

} // namespace

/// The symbol that an operand is, give or take an offset; empty if it is none.
static StringRef symbolOf(const MCOperand &Operand) {
  const MCExpr *Expr = Operand.isExpr() ? Operand.getExpr() : nullptr;
  while (Expr) {
    if (const auto *Reference = dyn_cast<MCSymbolRefExpr>(Expr))
      return Reference->getSymbol().getName();
    if (const auto *Specified = dyn_cast<MCSpecifierExpr>(Expr))
      Expr = Specified->getSubExpr();
    else if (const auto *Binary = dyn_cast<MCBinaryExpr>(Expr))
      Expr = Binary->getLHS();
    else
      break;
  }
  return "";
}

/// Adds what the calls and jumps of a block name.
static void findTargets(ArrayRef<MCInst> Block, const MCInstrInfo &Instructions,
                        SmallVectorImpl<StringRef> &Targets) {
  Targets.clear();
  for (const MCInst &Each : Block) {
    const MCInstrDesc &Description = Instructions.get(Each.getOpcode());
    if (!Description.isCall() && !Description.isBranch())
      continue;
    StringRef Symbol;
    for (const MCOperand &Operand : Each)
      if (StringRef Named = symbolOf(Operand); !Named.empty())
        Symbol = Named;
    if (!Symbol.empty() || Description.isCall())
      Targets.push_back(Symbol);
  }
}

Error mlcompiler::costBlocks(Compilation &C, StringRef Objective,
                             function_ref<void(const CostedBlock &)> Consumer) {
  std::string WithoutModel;
  const MCRegisterInfo *Registers = nullptr;
  std::unique_ptr<MCInstrInfo> Instructions;
  std::unique_ptr<MCInstrAnalysis> Analysis;
  std::unique_ptr<MCSubtargetInfo> Wanted;
  DenseMap<const MCSubtargetInfo *, std::unique_ptr<ThroughputModel>> Models;
  SmallVector<StringRef, 8> Targets;
  auto Add = [&](const StreamedBlock &Block) {
    const MCSubtargetInfo &STI = Wanted ? *Wanted : Block.Subtarget;
    if (!STI.getSchedModel().hasInstrSchedModel()) {
      WithoutModel = STI.getCPU().str();
      return;
    }
    auto &Model = Models[&STI];
    if (!Model)
      Model = std::make_unique<ThroughputModel>(STI, *Instructions, *Registers,
                                                Analysis.get());
    findTargets(Block.Instructions, *Instructions, Targets);
    Consumer({Block.Function, Block.Frequency,
              Model->cycles(Block.Instructions), Targets});
  };
  auto AddPrinter = [&](TargetMachine &TM, legacy::PassManagerBase &PM,
                        MCContext &MC) {
    Registers = MC.getRegisterInfo();
    // Functions that name a cpu are compiled for it, as by `llc`; what they
    // cost is asked of the cpu that the user names.
    if (!C.cpu().empty())
      Wanted.reset(TM.getTarget().createMCSubtargetInfo(
          TM.getTargetTriple(), C.cpu(), TM.getTargetFeatureString()));
    Instructions.reset(TM.getTarget().createMCInstrInfo());
    Analysis.reset(TM.getTarget().createMCInstrAnalysis(Instructions.get()));
    return addBlockPrinter(TM, PM, MC, Add);
  };
  SilentStderr Silent;
  if (Error E = C.generate(AddPrinter))
    return E;
  if (!WithoutModel.empty())
    return fail(proto::INVALID_ARGUMENT,
                "LLVM has no scheduling model for cpu '" + WithoutModel +
                    "', which " + Objective.str() + " needs; name another cpu");
  return Error::success();
}
