//===- Allocation.h - The registers of one function -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATION_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATION_H

#include "RangeSplitter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/CodeGen/CalcSpillWeights.h"
#include "llvm/CodeGen/LiveRangeEdit.h"
#include "llvm/CodeGen/RegisterClassInfo.h"
#include "llvm/CodeGen/Spiller.h"
#include <memory>

namespace llvm {
class LiveDebugVariables;
class LiveRegMatrix;
class LiveStacks;
class ProfileSummaryInfo;
} // namespace llvm

namespace mlcompiler {

/// What LLVM knows of the function.
struct AllocationAnalyses {
  llvm::MachineFunction &MF;
  llvm::LiveIntervals &LIS;
  llvm::VirtRegMap &VRM;
  llvm::LiveRegMatrix &Matrix;
  llvm::LiveStacks &Stacks;
  llvm::LiveDebugVariables &DebugVariables;
  llvm::MachineLoopInfo &Loops;
  llvm::MachineDominatorTree &Dominators;
  llvm::MachineBlockFrequencyInfo &Frequencies;
  llvm::ProfileSummaryInfo &Profile;
};

/// Which live range waits in front.
enum class RangeOrder {
  /// The one of the largest spill weight, as in LLVM's basic allocator.
  Weight,
  /// The longest one.
  Size,
  /// The longest one that reaches beyond a block; when there is none left, the
  /// others by where they begin.
  GlobalFirst,
};

/// A physical register that the live range at hand could be given.
struct RegisterColumn {
  llvm::MCRegister Register;
  bool IsHint = false;
  /// Whether the live range can have it. Holders are spilled for that.
  bool IsLegal = false;
  llvm::SmallVector<const llvm::LiveInterval *, 2> Holders;

  bool isFree() const { return IsLegal && Holders.empty(); }
};

/// Assigns registers to the live ranges of one function, each as it is told.
///
/// Contract: one live range is taken, always by takeFirst() or always by take()
/// from those of waiting(), and then one of the things done with it that may
/// be. Columns are legal only where LLVM's own checks say that the register is
/// free, or held by nothing but what can be spilled.
class Allocation : llvm::LiveRangeEdit::Delegate {
public:
  Allocation(const AllocationAnalyses &Analyses, RangeOrder Order);

  const AllocationAnalyses &analyses() const { return A; }

  /// Live ranges without a register, those in front first; at most \p Most.
  /// None: all have one.
  llvm::SmallVector<const llvm::LiveInterval *, 16> waiting(size_t Most);
  size_t waitingCount() const { return Queue.size(); }

  /// Takes out the live range in front, which is then at hand. Whether there is
  /// one.
  bool takeFirst();
  /// Takes out any.
  void take(const llvm::LiveInterval &LI);

  const llvm::LiveInterval &current() const { return *LI; }
  bool isCurrent(const llvm::LiveInterval &Range) const { return &Range == LI; }
  /// How often it, or what it is a piece of, has been split.
  unsigned splits(const llvm::LiveInterval &Of) const;

  // What may be done with it.
  llvm::ArrayRef<RegisterColumn> registers() const { return Columns; }
  bool canSpill() const { return LI->isSpillable(); }
  bool canSplitAtBlocks() const { return BlocksCanSplit; }
  llvm::ArrayRef<const llvm::MachineLoop *> splitLoops() const { return Loops; }

  /// Gives it a register, and spills the holders.
  void assign(const RegisterColumn &Column);
  void spill();
  void splitAtBlocks();
  void splitAround(const llvm::MachineLoop &Loop);
  /// Where none of these may be done: takes a register from live ranges that
  /// must have one, too, and have to find another. Whether there is such a one.
  /// It ends, for none takes from a live range that took later.
  bool displace();

  /// Called when all have registers.
  void finish();

  const llvm::RegisterClassInfo &classes() const { return Classes; }

private:
  /// Where a live range comes from.
  struct History {
    unsigned Splits = 0;
    /// It is the rest of one split at blocks.
    bool IsRest = false;
    /// It is the piece for that loop, and may only be split around loops in it.
    const llvm::MachineLoop *Inside = nullptr;
    /// When it last displaced another one.
    unsigned Cascade = 0;
  };

  bool LRE_CanEraseVirtReg(llvm::Register Reg) override;
  void LRE_WillShrinkVirtReg(llvm::Register Reg) override;
  void LRE_DidCloneVirtReg(llvm::Register New, llvm::Register Old) override;

  /// A live range that waits. What decides about its turn is what it was when
  /// it was put there, since editing may shrink or clear it meanwhile.
  struct Entry {
    llvm::Register Reg;
    bool IsAhead = false;
    double Rank = 0;
  };

  bool isBehind(const Entry &One, const Entry &Other) const;
  void enqueue(llvm::Register Reg);
  bool dropIfUnused(llvm::Register Reg);
  void examine();
  void spill(const llvm::LiveInterval &Range);
  void split(llvm::function_ref<void(llvm::LiveRangeEdit &)> Cut);
  void enqueueNew();

  const AllocationAnalyses A;
  const RangeOrder Order;
  llvm::MachineRegisterInfo &MRI;
  llvm::RegisterClassInfo Classes;
  llvm::VirtRegAuxInfo Weights;
  std::unique_ptr<llvm::Spiller> TheSpiller;
  RangeSplitter Splitter;

  /// A heap by isBehind() if it is takeFirst() that takes from it. May hold
  /// live ranges that are not used any more.
  std::vector<Entry> Queue;
  llvm::DenseMap<unsigned, History> Histories;
  unsigned Cascades = 0;
  /// Made by what is being done, and not in the queue yet.
  llvm::SmallVector<llvm::Register, 8> New;
  llvm::SmallPtrSet<llvm::MachineInstr *, 32> DeadRemats;

  const llvm::LiveInterval *LI = nullptr;
  std::vector<RegisterColumn> Columns;
  bool BlocksCanSplit = false;
  llvm::SmallVector<const llvm::MachineLoop *, 4> Loops;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATION_H
