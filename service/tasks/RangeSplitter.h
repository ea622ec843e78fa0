//===- RangeSplitter.h - Cuts live ranges into pieces -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_RANGESPLITTER_H
#define MLCOMPILER_GYM_SERVICE_TASKS_RANGESPLITTER_H

#include "SplitKit.h"
#include "llvm/CodeGen/RegisterClassInfo.h"

namespace llvm {
class MachineLoop;
} // namespace llvm

namespace mlcompiler {

/// Cuts the live ranges of one function with LLVM's own splitter.
///
/// Contract: every call is about the live range that look() was last called
/// with, which must not have changed since.
class RangeSplitter {
public:
  RangeSplitter(llvm::LiveIntervals &LIS, llvm::VirtRegMap &VRM,
                llvm::MachineLoopInfo &Loops, llvm::MachineDominatorTree &MDT,
                llvm::MachineBlockFrequencyInfo &MBFI,
                llvm::VirtRegAuxInfo &Weights);

  void look(const llvm::LiveInterval &LI);

  /// Whether some block could have a piece of its own. With
  /// \p SingleInstructions, a piece with a single instruction also counts.
  bool canSplitAtBlocks(bool SingleInstructions) const;

  /// The loops that have uses, that the live range enters or leaves, and at
  /// whose borders there is a place for copies. Loops with the most uses,
  /// weighted by frequency, come first.
  llvm::SmallVector<const llvm::MachineLoop *, 4> loops() const;

  /// Gives each block with uses a piece of its own. \p Pieces gets the number
  /// of each new register's piece. Piece 0 is the rest, which has no uses in
  /// those blocks.
  void splitAtBlocks(llvm::LiveRangeEdit &Edit, bool SingleInstructions,
                     llvm::SmallVectorImpl<unsigned> &Pieces);

  /// Gives the loop a piece of its own. \p Pieces is as above.
  void splitAround(const llvm::MachineLoop &Loop, llvm::LiveRangeEdit &Edit,
                   llvm::SmallVectorImpl<unsigned> &Pieces);

private:
  bool hasBorders(const llvm::MachineLoop &Loop) const;
  bool crossesBorder(const llvm::MachineLoop &Loop) const;

  llvm::LiveIntervals &LIS;
  const llvm::MachineLoopInfo &Loops;
  const llvm::MachineBlockFrequencyInfo &MBFI;
  llvm::SplitAnalysis Analysis;
  llvm::SplitEditor Editor;
  const llvm::LiveInterval *LI = nullptr;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_RANGESPLITTER_H
