//===- LoopDistributionPlan.h - Which loops a partition makes ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPLAN_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPLAN_H

#include "LoopDistributionGraph.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include <optional>

namespace mlcompiler {

/// What one of the loops computes.
struct LoopGroup {
  /// By place in the body.
  llvm::BitVector Needed;
  /// Values that are loaded from where a loop before has stored them.
  llvm::MapVector<unsigned, const Reload *> Reloads;
  /// Loads from what has been overwritten by then: an earlier loop has put the
  /// values into an array, iteration by iteration.
  llvm::SmallSetVector<unsigned, 4> Taken;
  /// Loads whose values this loop puts into an array, for later ones.
  llvm::SmallSetVector<unsigned, 4> Kept;
};

/// The loops that a partition of the nodes makes, in their order.
struct LoopPlan {
  std::vector<LoopGroup> Groups;
  /// Pairs of accesses that have to be checked before the loops.
  std::vector<MemoryEdge> Checks;
  /// Elements of each array, how many arrays there are, and their bytes.
  uint64_t ArrayElements = 0;
  unsigned Arrays = 0;
  uint64_t ArrayBytes = 0;

  /// The first loop that computes an instruction.
  unsigned computedBy(unsigned I) const;
};

/// The group of each node, by the node's number; none if it has none yet.
using Partition = std::vector<std::optional<unsigned>>;

/// The loops of a partition in which every node has a group. Nothing if it is
/// not legal: some loop would have to load what one before it has overwritten,
/// and there is no room for arrays of the values, one for each iteration.
///
/// Merging two neighbouring groups of a legal partition gives a legal one.
std::optional<LoopPlan> planLoops(const LoopGraph &G, const Partition &P);

/// One of these loops. Nothing if it cannot be computed at its place.
std::optional<LoopGroup> planGroup(const LoopGraph &G, const Partition &P,
                                   unsigned Number);

/// Whether all nodes that have no group yet may go into a new one, behind those
/// of \p P. If they may not, none of them may be put into a new group now,
/// whatever is done with the others.
bool mayDistribute(const LoopGraph &G, const Partition &P);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPLAN_H
