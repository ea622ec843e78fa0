//===- SplitKit.h - LLVM's splitter of live ranges --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Declares classes of LLVM 22's greedy register allocator, which are in its
/// archives, but whose header is not installed (lib/CodeGen/SplitKit.h). Only
/// functions that are called here are declared, but all data members are,
/// because each decides where the next one lies.
///
/// The build reads from LLVM's archive how much memory its allocator reserves
/// for the two classes. It refuses an LLVM in which their sizes differ from
/// these.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_SPLITKIT_H
#define MLCOMPILER_GYM_SERVICE_TASKS_SPLITKIT_H

#include "SplitKitSizes.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/IntervalMap.h"
#include "llvm/ADT/PointerIntPair.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/CodeGen/LiveIntervalCalc.h"
#include "llvm/CodeGen/LiveIntervals.h"
#include "llvm/CodeGen/SlotIndexes.h"

namespace llvm {

class LiveRangeEdit;
class MachineBlockFrequencyInfo;
class MachineDominatorTree;
class MachineLoopInfo;
class TargetInstrInfo;
class TargetRegisterInfo;
class VirtRegAuxInfo;
class VirtRegMap;

class InsertPointAnalysis {
  const LiveIntervals &LIS;
  SmallVector<std::pair<SlotIndex, SlotIndex>, 8> LastInsertPoint;

public:
  InsertPointAnalysis(const LiveIntervals &LIS, unsigned Blocks);
};

/// Where a live range is used, block by block.
class SplitAnalysis {
public:
  const MachineFunction &MF;
  const VirtRegMap &VRM;
  const LiveIntervals &LIS;
  const MachineLoopInfo &Loops;
  const TargetInstrInfo &TII;

  /// A part of the live range within one block that has uses.
  struct BlockInfo {
    MachineBasicBlock *MBB;
    SlotIndex FirstInstr;
    SlotIndex LastInstr;
    SlotIndex FirstDef;
    bool LiveIn;
    bool LiveOut;
  };

private:
  const LiveInterval *CurLI = nullptr;
  InsertPointAnalysis IPA;
  SmallVector<SlotIndex, 8> UseSlots;
  SmallVector<BlockInfo, 8> UseBlocks;
  unsigned NumGapBlocks = 0;
  BitVector ThroughBlocks;
  unsigned NumThroughBlocks = 0;

public:
  SplitAnalysis(const VirtRegMap &VRM, const LiveIntervals &LIS,
                const MachineLoopInfo &Loops);

  /// Analyses a live range. The calls below are about this one.
  void analyze(const LiveInterval *LI);

  ArrayRef<BlockInfo> getUseBlocks() const { return UseBlocks; }

  /// Whether a piece for this block alone would be of use. With
  /// \p SingleInstrs, a block with a single instruction may have one.
  bool shouldSplitSingleBlock(const BlockInfo &Block, bool SingleInstrs) const;
};

/// Cuts into pieces the live range that a SplitAnalysis has analysed.
/// Everything outside the pieces that were opened is piece 0.
class SplitEditor {
  SplitAnalysis &SA;
  LiveIntervals &LIS;
  VirtRegMap &VRM;
  MachineRegisterInfo &MRI;
  MachineDominatorTree &MDT;
  const TargetInstrInfo &TII;
  const TargetRegisterInfo &TRI;
  const MachineBlockFrequencyInfo &MBFI;
  VirtRegAuxInfo &VRAI;

public:
  /// Whether piece 0 may overlap the others: not at all, to have fewer copies,
  /// or to have cheaper ones.
  enum ComplementSpillMode { SM_Partition, SM_Size, SM_Speed };

private:
  LiveRangeEdit *Edit = nullptr;
  unsigned OpenIdx = 0;
  ComplementSpillMode SpillMode = SM_Partition;
  using RegAssignMap = IntervalMap<SlotIndex, unsigned>;
  RegAssignMap::Allocator Allocator;
  RegAssignMap RegAssign;
  using ValueForcePair = PointerIntPair<VNInfo *, 1>;
  DenseMap<std::pair<unsigned, unsigned>, ValueForcePair> Values;
  LiveIntervalCalc LICalc[2];

public:
  SplitEditor(SplitAnalysis &SA, LiveIntervals &LIS, VirtRegMap &VRM,
              MachineDominatorTree &MDT, MachineBlockFrequencyInfo &MBFI,
              VirtRegAuxInfo &VRAI);

  /// Begins a cut.
  void reset(LiveRangeEdit &Edit, ComplementSpillMode Mode);
  /// Begins a piece, and returns its number.
  unsigned openIntv();
  /// Lets the piece begin at the end of a block.
  SlotIndex enterIntvAtEnd(MachineBasicBlock &MBB);
  /// Gives the piece a whole block.
  void useIntv(const MachineBasicBlock &MBB);
  /// Lets the piece end at the top of a block.
  SlotIndex leaveIntvAtTop(MachineBasicBlock &MBB);
  /// Makes a piece of the live range's part in one block.
  void splitSingleBlock(const SplitAnalysis::BlockInfo &Block);
  /// Rewrites the code. \p Pieces gets the number of each new register's piece.
  void finish(SmallVectorImpl<unsigned> *Pieces);
};

static_assert(sizeof(SplitAnalysis) == SplitAnalysisBytes &&
                  sizeof(SplitEditor) == SplitEditorBytes,
              "this LLVM's lib/CodeGen/SplitKit.h is another one than what is "
              "declared here; bring the members in line");

} // namespace llvm

#endif // MLCOMPILER_GYM_SERVICE_TASKS_SPLITKIT_H
