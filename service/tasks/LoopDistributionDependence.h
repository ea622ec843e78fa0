//===- LoopDistributionDependence.h - Conflicts of accesses -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONDEPENDENCE_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONDEPENDENCE_H

#include "llvm/ADT/DenseMap.h"
#include "llvm/Analysis/AliasAnalysis.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/IR/Dominators.h"

namespace mlcompiler {

/// The bytes that an access touches in all iterations of a loop together, as
/// far as that can be computed before the loop.
struct AccessRange {
  /// First byte, and the one behind the last; null if not computable.
  const llvm::SCEV *Low = nullptr;
  const llvm::SCEV *High = nullptr;
  /// Not every iteration makes the access, so that the ends need not be of
  /// memory. The range may wrap: then Low lies above High.
  bool MayWrap = false;
  /// How often the back edge is taken, if that may be more than MostBackedges;
  /// then the ends say nothing, as addresses may come round altogether.
  const llvm::SCEV *Backedges = nullptr;
  uint64_t MostBackedges = 0;
  explicit operator bool() const { return Low; }
};

/// How two accesses of one loop, the first before the second in its body, touch
/// the same bytes within one run of the loop.
struct Conflict {
  /// An execution of the first comes before one of the second that it
  /// conflicts with.
  bool Forward = false;
  /// An execution of the second comes before one of the first, which is of a
  /// later iteration then.
  bool Backward = false;
  /// Neither, if the ranges of the two turn out to be disjoint at run time.
  bool Checkable = false;
  /// Iterations from one to the other, if there is only one such number, and
  /// 0 otherwise.
  int64_t Distance = 0;

  explicit operator bool() const { return Forward || Backward; }
};

/// Finds conflicts by alias analysis (of pointers of different iterations),
/// and where that says that two may be of one object, by the distance between
/// their addresses as scalar evolution has it. What cannot be told conflicts
/// both ways.
class DependenceTester {
public:
  DependenceTester(llvm::Loop &L, llvm::ScalarEvolution &SE,
                   llvm::AAResults &AA, llvm::DominatorTree &DT);

  /// \p First and \p Second are simple loads or stores; may be the same.
  Conflict test(llvm::Instruction &First, llvm::Instruction &Second);

  AccessRange range(llvm::Instruction &Access);

  /// Bytes from one iteration's access to the next's, if that is constant.
  std::optional<int64_t> stride(llvm::Instruction &Access);

private:
  struct Address {
    const llvm::SCEV *Pointer = nullptr;
    /// Address in the first iteration and bytes between iterations; of an
    /// address that does not change, the address and 0. Null: neither.
    const llvm::SCEV *Start = nullptr;
    int64_t Step = 0;
    int64_t Bytes = 0;
  };
  const Address &address(llvm::Instruction &Access);
  bool isInEveryIteration(llvm::Instruction &Access) const;
  bool wouldTouchNull(llvm::Instruction &Access, int64_t Step,
                      int64_t Bytes) const;
  std::optional<Conflict> byDistance(const Address &X, const Address &Y,
                                     bool SameAccess);
  bool areDisjoint(const AccessRange &X, const AccessRange &Y);

  llvm::Loop &L;
  llvm::ScalarEvolution &SE;
  llvm::BatchAAResults AA;
  llvm::DominatorTree &DT;
  /// Most often that the back edge is taken, if that is known and below Limit.
  std::optional<int64_t> MaxBackedges;
  llvm::DenseMap<llvm::Instruction *, Address> Addresses;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONDEPENDENCE_H
