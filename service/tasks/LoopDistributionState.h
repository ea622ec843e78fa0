//===- LoopDistributionState.h - A loop that is being split -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONSTATE_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONSTATE_H

#include "LoopDistributionPlan.h"
#include "llvm/ADT/BitVector.h"

namespace mlcompiler {

/// How far the nodes of a loop have been put into groups. Every sequence of
/// allowed choices leads to a legal outcome.
class DistributionState {
public:
  /// Begins with no node in a group.
  DistributionState(const LoopGraph &G, std::string Name)
      : G(G), Name(std::move(Name)), Groups(G.nodes().size()) {}

  const LoopGraph &graph() const { return G; }
  /// The name of the loop, for people.
  llvm::StringRef name() const { return Name; }
  const Partition &partition() const { return Groups; }
  /// How many groups have been begun. Nodes can be added to the last of them.
  unsigned groupCount() const { return Count; }
  unsigned placed() const { return Placed; }
  bool isDone() const { return Placed == Groups.size(); }

  /// The nodes that may come next, in order: all nodes that must come before
  /// them are in groups.
  std::vector<unsigned> ready();

  /// Whether a node may go into the current group. It always may, if there is
  /// one.
  bool mayMerge() const { return Count != 0; }
  /// Whether a node may go into a new group. The answer is the same for every
  /// node.
  bool mayDistribute() const;

  void merge(unsigned Node) { place(Node, Count - 1); }
  void distribute(unsigned Node) { place(Node, Count++); }

private:
  void findEarlier();
  void place(unsigned Node, unsigned Group) {
    Groups[Node] = Group;
    ++Placed;
  }

  const LoopGraph &G;
  const std::string Name;
  Partition Groups;
  /// The nodes that must come before each node, found when first asked for.
  std::vector<llvm::BitVector> Earlier;
  unsigned Count = 0;
  unsigned Placed = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONSTATE_H
