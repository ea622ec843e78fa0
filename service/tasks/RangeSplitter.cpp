//===- RangeSplitter.cpp - Cuts live ranges into pieces -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "RangeSplitter.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/LiveRangeEdit.h"
#include "llvm/CodeGen/MachineBlockFrequencyInfo.h"
#include "llvm/CodeGen/MachineLoopInfo.h"

using namespace llvm;
using namespace mlcompiler;

RangeSplitter::RangeSplitter(LiveIntervals &LIS, VirtRegMap &VRM,
                             MachineLoopInfo &Loops, MachineDominatorTree &MDT,
                             MachineBlockFrequencyInfo &MBFI,
                             VirtRegAuxInfo &Weights)
    : LIS(LIS), Loops(Loops), MBFI(MBFI), Analysis(VRM, LIS, Loops),
      Editor(Analysis, LIS, VRM, MDT, MBFI, Weights) {}

void RangeSplitter::look(const LiveInterval &Range) {
  LI = &Range;
  Analysis.analyze(LI);
}

bool RangeSplitter::canSplitAtBlocks(bool SingleInstructions) const {
  return !LIS.intervalIsInOneMBB(*LI) &&
         any_of(Analysis.getUseBlocks(),
                [&](const SplitAnalysis::BlockInfo &Block) {
                  return Analysis.shouldSplitSingleBlock(Block,
                                                         SingleInstructions);
                });
}

/// Whether a copy can be put at the top of a block.
static bool hasTop(const MachineBasicBlock &Block) {
  return !Block.isEHPad() && !Block.isInlineAsmBrIndirectTarget();
}

/// Whether a copy can be put at the end of a block, behind every instruction
/// that defines a value.
static bool hasEnd(const MachineBasicBlock &Block) {
  return all_of(Block.successors(),
                [](const MachineBasicBlock *Next) { return hasTop(*Next); }) &&
         none_of(Block.terminators(), [](const MachineInstr &MI) {
           return any_of(MI.all_defs(), [](const MachineOperand &Defined) {
             return Defined.getReg().isVirtual();
           });
         });
}

bool RangeSplitter::hasBorders(const MachineLoop &Loop) const {
  const MachineBasicBlock *Preheader = Loop.getLoopPreheader();
  if (!Preheader || !hasEnd(*Preheader))
    return false;
  SmallVector<MachineBasicBlock *, 4> Exits;
  Loop.getUniqueExitBlocks(Exits);
  return all_of(Exits, [&](const MachineBasicBlock *Exit) {
    return hasTop(*Exit) &&
           all_of(Exit->predecessors(), [&](const MachineBasicBlock *Before) {
             return Loop.contains(Before);
           });
  });
}

bool RangeSplitter::crossesBorder(const MachineLoop &Loop) const {
  SmallVector<MachineBasicBlock *, 4> Exits;
  Loop.getUniqueExitBlocks(Exits);
  return LIS.isLiveInToMBB(*LI, Loop.getHeader()) ||
         any_of(Exits, [&](const MachineBasicBlock *Exit) {
           return LIS.isLiveInToMBB(*LI, Exit);
         });
}

SmallVector<const MachineLoop *, 4> RangeSplitter::loops() const {
  SmallMapVector<const MachineLoop *, double, 4> Uses;
  for (const SplitAnalysis::BlockInfo &Block : Analysis.getUseBlocks())
    for (const MachineLoop *Around = Loops.getLoopFor(Block.MBB); Around;
         Around = Around->getParentLoop())
      Uses[Around] += MBFI.getBlockFreqRelativeToEntryBlock(Block.MBB);
  Uses.remove_if([&](const auto &Entry) {
    return !hasBorders(*Entry.first) || !crossesBorder(*Entry.first);
  });
  SmallVector<const MachineLoop *, 4> Found(make_first_range(Uses));
  // Two loops may have the same uses, such as a loop and the one around it. The
  // loop whose header comes first is then first.
  llvm::sort(Found, [&](const MachineLoop *A, const MachineLoop *B) {
    return std::make_tuple(-Uses[A], A->getHeader()->getNumber()) <
           std::make_tuple(-Uses[B], B->getHeader()->getNumber());
  });
  return Found;
}

void RangeSplitter::splitAtBlocks(LiveRangeEdit &Edit, bool SingleInstructions,
                                  SmallVectorImpl<unsigned> &Pieces) {
  // The rest has no uses left, so it can live in memory.
  Editor.reset(Edit, SplitEditor::SM_Speed);
  for (const SplitAnalysis::BlockInfo &Block : Analysis.getUseBlocks())
    if (Analysis.shouldSplitSingleBlock(Block, SingleInstructions))
      Editor.splitSingleBlock(Block);
  Editor.finish(&Pieces);
}

void RangeSplitter::splitAround(const MachineLoop &Loop, LiveRangeEdit &Edit,
                                SmallVectorImpl<unsigned> &Pieces) {
  Editor.reset(Edit, SplitEditor::SM_Speed);
  Editor.openIntv();
  Editor.enterIntvAtEnd(*Loop.getLoopPreheader());
  for (const MachineBasicBlock *Block : Loop.blocks())
    Editor.useIntv(*Block);
  SmallVector<MachineBasicBlock *, 4> Exits;
  Loop.getUniqueExitBlocks(Exits);
  for (MachineBasicBlock *Exit : Exits)
    Editor.leaveIntvAtTop(*Exit);
  Editor.finish(&Pieces);
}
