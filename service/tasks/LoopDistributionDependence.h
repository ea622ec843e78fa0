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

/// The bytes that an access touches in all iterations of a loop together, if
/// they can be computed before the loop.
struct AccessRange {
  /// The first byte, and the one behind the last; null if they cannot be
  /// computed.
  const llvm::SCEV *Low = nullptr;
  const llvm::SCEV *High = nullptr;
  /// Not every iteration makes the access, so the ends may lie outside of
  /// memory. The range may wrap, and Low then lies above High.
  bool MayWrap = false;
  /// How often the back edge is taken, if that may be more than MostBackedges.
  /// In that case the ends say nothing, because addresses may wrap completely.
  const llvm::SCEV *Backedges = nullptr;
  uint64_t MostBackedges = 0;
  explicit operator bool() const { return Low; }
};

/// How two accesses touch the same bytes within one run of a loop. The first
/// access comes before the second in the body.
struct Conflict {
  /// An execution of the first conflicts with a later execution of the second.
  bool Forward = false;
  /// An execution of the second conflicts with one of the first in a later
  /// iteration.
  bool Backward = false;
  /// There is no conflict if the ranges of the two turn out to be disjoint at
  /// run time.
  bool Checkable = false;
  /// Iterations from one to the other, if that is always the same number, and 0
  /// otherwise.
  int64_t Distance = 0;

  explicit operator bool() const { return Forward || Backward; }
};

/// Finds conflicts by alias analysis, of pointers of different iterations. If
/// two accesses may be of one object, the distance between their addresses
/// decides, as far as scalar evolution knows it. In doubt, accesses conflict
/// both ways.
class DependenceTester {
public:
  DependenceTester(llvm::Loop &L, llvm::ScalarEvolution &SE,
                   llvm::AAResults &AA, llvm::DominatorTree &DT);

  /// \p First and \p Second are simple loads or stores; they may be the same
  /// one.
  Conflict test(llvm::Instruction &First, llvm::Instruction &Second);

  AccessRange range(llvm::Instruction &Access);

  /// The bytes from one iteration's access to the next one's, if that is
  /// constant.
  std::optional<int64_t> stride(llvm::Instruction &Access);

private:
  struct Address {
    const llvm::SCEV *Pointer = nullptr;
    /// The address in the first iteration, and the bytes between iterations,
    /// which are 0 if the address does not change. Null if it is neither.
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
  /// How often the back edge is taken at most, if that is known and below
  /// Limit.
  std::optional<int64_t> MaxBackedges;
  llvm::DenseMap<llvm::Instruction *, Address> Addresses;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONDEPENDENCE_H
