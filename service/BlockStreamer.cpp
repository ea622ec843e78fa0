//===- BlockStreamer.cpp - Machine code, block by block -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockStreamer.h"
#include "FrequencyPass.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/CodeGen/AsmPrinter.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCStreamer.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Learns from the assembly printer where a block begins: by its label, or by
/// the comment that stands for a label in verbose assembly.
class BlockStreamer : public MCStreamer {
public:
  BlockStreamer(MCContext &Context, BlockConsumer Consumer)
      : MCStreamer(Context), Consumer(Consumer) {}

  void beginFunction(const MachineFunction &MF,
                     const MachineBlockFrequencyInfo &Frequencies) {
    finishBlock();
    Current = nullptr;
    Function = MF.getName().str();
    Blocks.clear();
    Labels.clear();
    for (const MachineBasicBlock &MBB : MF) {
      Blocks[MBB.getNumber()] = weigh(MBB, Frequencies);
      Labels[MBB.getSymbol()] = MBB.getNumber();
    }
  }

  bool isVerboseAsm() const override { return true; }

  void emitLabel(MCSymbol *Symbol, SMLoc Loc) override {
    MCStreamer::emitLabel(Symbol, Loc);
    if (auto It = Labels.find(Symbol); It != Labels.end())
      beginBlock(It->second);
  }

  void emitRawComment(const Twine &Text, bool TabPrefix) override {
    SmallString<16> Buffer;
    StringRef Name = Text.toStringRef(Buffer);
    unsigned Number;
    if (Name.consume_front(" %bb.") && !Name.consumeInteger(10, Number) &&
        Name == ":")
      beginBlock(Number);
  }

  void emitInstruction(const MCInst &Instruction,
                       const MCSubtargetInfo &STI) override {
    if (!Current)
      return;
    Subtarget = &STI;
    Instructions.push_back(Instruction);
  }

  bool emitSymbolAttribute(MCSymbol *, MCSymbolAttr) override { return true; }
  void emitCommonSymbol(MCSymbol *, uint64_t, Align) override {}
  void finishImpl() override { finishBlock(); }

private:
  /// What is known of a block apart from its instructions.
  struct Weight {
    double Frequency;
    double Taken;
    double Unlikely;
  };

  static Weight weigh(const MachineBasicBlock &MBB,
                      const MachineBlockFrequencyInfo &Frequencies) {
    double Taken = 0, All = 0, Likeliest = 0;
    for (auto It = MBB.succ_begin(); It != MBB.succ_end(); ++It) {
      const BranchProbability Share = MBB.getSuccProbability(It);
      const double Probability =
          static_cast<double>(Share.getNumerator()) / Share.getDenominator();
      All += Probability;
      Likeliest = std::max(Likeliest, Probability);
      if (!MBB.isLayoutSuccessor(*It))
        Taken += Probability;
    }
    return {Frequencies.getBlockFreqRelativeToEntryBlock(&MBB), Taken,
            All - Likeliest};
  }

  void beginBlock(unsigned Number) {
    finishBlock();
    auto It = Blocks.find(Number);
    Current = It == Blocks.end() ? nullptr : &*It;
  }

  void finishBlock() {
    if (Current && !Instructions.empty())
      Consumer({Function, Current->first, Current->second.Frequency,
                Current->second.Taken, Current->second.Unlikely, Instructions,
                *Subtarget});
    Instructions.clear();
  }

  BlockConsumer Consumer;
  std::string Function;
  DenseMap<unsigned, Weight> Blocks;
  DenseMap<const MCSymbol *, unsigned> Labels;
  const detail::DenseMapPair<unsigned, Weight> *Current = nullptr;
  std::vector<MCInst> Instructions;
  const MCSubtargetInfo *Subtarget = nullptr;
};

} // namespace

bool mlcompiler::addBlockPrinter(TargetMachine &Target,
                                 legacy::PassManagerBase &PM,
                                 MCContext &Context, BlockConsumer Consumer) {
  auto Streamer = std::make_unique<BlockStreamer>(Context, Consumer);
  Target.getTarget().createNullTargetStreamer(*Streamer);
  PM.add(createFrequencyPass(
      [&Blocks = *Streamer](const MachineFunction &MF,
                            const MachineBlockFrequencyInfo &Frequencies) {
        Blocks.beginFunction(MF, Frequencies);
      }));
  AsmPrinter *Printer =
      Target.getTarget().createAsmPrinter(Target, std::move(Streamer));
  if (!Printer)
    return true;
  PM.add(Printer);
  return false;
}
