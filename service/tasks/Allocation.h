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

/// What LLVM knows about the function.
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

/// Which live range comes first in the queue.
enum class RangeOrder {
  /// The live range with the largest spill weight, as in LLVM's basic
  /// allocator.
  Weight,
  /// The longest live range.
  Size,
  /// The longest live range that reaches beyond a block. When none is left, the
  /// others, by where they begin.
  GlobalFirst,
};

/// A physical register that the current live range could be given.
struct RegisterColumn {
  llvm::MCRegister Register;
  bool IsHint = false;
  /// Whether the live range can have it. Its holders are then spilled.
  bool IsLegal = false;
  llvm::SmallVector<const llvm::LiveInterval *, 2> Holders;

  bool isFree() const { return IsLegal && Holders.empty(); }
};

/// A copy between a live range and a physical register, which a live range that
/// gets this register saves.
struct FixedCopy {
  llvm::Register Range;
  llvm::MCRegister Register;
  /// Relative to the function's entry.
  double Frequency;
};

/// Assigns registers to the live ranges of one function, as the caller says.
///
/// Contract: the caller takes a live range, and then does with it one of the
/// things that are allowed. It takes them either always by takeFirst(), or
/// always by take() from the ranges of waiting(). A column is legal only if, by
/// LLVM's own checks, the register is free, or all its holders can be spilled.
class Allocation : llvm::LiveRangeEdit::Delegate {
public:
  Allocation(const AllocationAnalyses &Analyses, RangeOrder Order);

  const AllocationAnalyses &analyses() const { return A; }

  /// The first \p Most live ranges of the queue, in its order. Empty if all
  /// live ranges have registers.
  llvm::SmallVector<const llvm::LiveInterval *, 16> waiting(size_t Most);
  size_t waitingCount() const { return Queue.size(); }

  /// Takes the first live range, which is then the current one. Returns false
  /// if there is none.
  bool takeFirst();
  /// Takes a given live range, which is then the current one.
  void take(const llvm::LiveInterval &LI);

  const llvm::LiveInterval &current() const { return *LI; }
  bool isCurrent(const llvm::LiveInterval &Range) const { return &Range == LI; }
  /// How often \p Of, or the live range that it is a piece of, has been split.
  unsigned splits(const llvm::LiveInterval &Of) const;

  /// Copies between live ranges and registers, as the code stands.
  llvm::ArrayRef<FixedCopy> fixedCopies() const { return FixedCopies; }

  // What may be done with the current live range.
  llvm::ArrayRef<RegisterColumn> registers() const { return Columns; }
  bool canSpill() const { return LI->isSpillable(); }
  bool canSplitAtBlocks() const { return BlocksCanSplit; }
  llvm::ArrayRef<const llvm::MachineLoop *> splitLoops() const { return Loops; }

  /// Gives it a register, and spills the register's holders.
  void assign(const RegisterColumn &Column);
  void spill();
  void splitAtBlocks();
  void splitAround(const llvm::MachineLoop &Loop);
  /// For a live range with which nothing else may be done: takes a register
  /// from live ranges that must then find another one. Returns false if there
  /// is no such register. A live range never takes from one that has taken
  /// later, so this comes to an end.
  bool displace();

  /// Call when all live ranges have registers.
  void finish();

  const llvm::RegisterClassInfo &classes() const { return Classes; }

private:
  /// Where a live range comes from.
  struct History {
    unsigned Splits = 0;
    /// It is what is left of a live range that was split at blocks.
    bool IsRest = false;
    /// It is the piece for this loop, and may only be split around loops inside
    /// it.
    const llvm::MachineLoop *Inside = nullptr;
    /// Orders displacements: the number of the chain in which it last took a
    /// register.
    unsigned Cascade = 0;
  };

  bool LRE_CanEraseVirtReg(llvm::Register Reg) override;
  void LRE_WillShrinkVirtReg(llvm::Register Reg) override;
  void LRE_DidCloneVirtReg(llvm::Register New, llvm::Register Old) override;

  /// A live range in the queue. Its place depends on what it was when it
  /// entered, because editing may shrink or clear it in the meantime.
  struct Entry {
    llvm::Register Reg;
    bool IsAhead = false;
    double Rank = 0;
  };

  bool isBehind(const Entry &One, const Entry &Other) const;
  void enqueue(llvm::Register Reg);
  bool dropIfUnused(llvm::Register Reg);
  void examine();
  void findFixedCopies();
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

  /// A heap by isBehind(), if takeFirst() takes from it. It may hold live
  /// ranges that are no longer used.
  std::vector<Entry> Queue;
  llvm::DenseMap<unsigned, History> Histories;
  unsigned Cascades = 0;
  /// Live ranges that an action has just made, and that are not in the queue
  /// yet.
  llvm::SmallVector<llvm::Register, 8> New;
  llvm::SmallPtrSet<llvm::MachineInstr *, 32> DeadRemats;

  std::vector<FixedCopy> FixedCopies;
  /// Instructions have changed since these were found.
  bool IsEdited = true;

  const llvm::LiveInterval *LI = nullptr;
  std::vector<RegisterColumn> Columns;
  bool BlocksCanSplit = false;
  llvm::SmallVector<const llvm::MachineLoop *, 4> Loops;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATION_H
