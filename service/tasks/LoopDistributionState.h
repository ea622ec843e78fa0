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

/// How far the nodes of a loop have been put into groups. Whatever is chosen
/// among what is allowed, the outcome is legal.
class DistributionState {
public:
  /// Nothing is in a group yet.
  DistributionState(const LoopGraph &G, std::string Name)
      : G(G), Name(std::move(Name)), Groups(G.nodes().size()) {}

  const LoopGraph &graph() const { return G; }
  /// The name of the loop, for a person.
  llvm::StringRef name() const { return Name; }
  const Partition &partition() const { return Groups; }
  /// How many groups have been begun; the last of them can be added to.
  unsigned groupCount() const { return Count; }
  unsigned placed() const { return Placed; }
  bool isDone() const { return Placed == Groups.size(); }

  /// Nodes of which all that must come before them is in a group, in order.
  std::vector<unsigned> ready();

  /// Whether a node may go into the current group: always, if there is one.
  bool mayMerge() const { return Count != 0; }
  /// Whether one may go into a new group, which does not depend on which.
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
  /// The nodes that must come before each node; found when asked for.
  std::vector<llvm::BitVector> Earlier;
  unsigned Count = 0;
  unsigned Placed = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONSTATE_H
