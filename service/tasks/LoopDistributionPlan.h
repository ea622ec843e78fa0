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

/// One of the loops, and what it computes.
struct LoopGroup {
  /// The instructions that it needs, by their places in the body.
  llvm::BitVector Needed;
  /// Values that it loads from where an earlier loop has stored them.
  llvm::MapVector<unsigned, const Reload *> Reloads;
  /// Loads from memory that has been overwritten by then. An earlier loop has
  /// put their values into an array, iteration by iteration.
  llvm::SmallSetVector<unsigned, 4> Taken;
  /// Loads whose values this loop puts into an array, for later ones.
  llvm::SmallSetVector<unsigned, 4> Kept;
};

/// The loops that a partition of the nodes makes, in their order.
struct LoopPlan {
  std::vector<LoopGroup> Groups;
  /// The pairs of accesses that have to be checked before the loops.
  std::vector<MemoryEdge> Checks;
  /// The elements of each array, the number of arrays, and the bytes of all.
  uint64_t ArrayElements = 0;
  unsigned Arrays = 0;
  uint64_t ArrayBytes = 0;

  /// The number of the first loop that computes an instruction.
  unsigned computedBy(unsigned I) const;
};

/// The group of each node, by the node's number; nullopt if it has none yet.
using Partition = std::vector<std::optional<unsigned>>;

/// Plans the loops of a partition in which every node has a group. Returns
/// nullopt if the partition is not legal: some loop would have to load what an
/// earlier one has overwritten, and there is no room for arrays with the values
/// of all iterations.
///
/// Merging two neighbouring groups of a legal partition gives a legal one.
std::optional<LoopPlan> planLoops(const LoopGraph &G, const Partition &P);

/// Plans one of these loops. Returns nullopt if it cannot be computed at its
/// place.
std::optional<LoopGroup> planGroup(const LoopGraph &G, const Partition &P,
                                   unsigned Number);

/// Whether all nodes without a group may go into a new one, behind the groups
/// of \p P. If they may not, no node can be put into a new group now, whatever
/// is done with the others.
bool mayDistribute(const LoopGraph &G, const Partition &P);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPLAN_H
