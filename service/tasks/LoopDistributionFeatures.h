//===- LoopDistributionFeatures.h - What a group is like --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONFEATURES_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONFEATURES_H

#include "LoopBody.h"
#include "LoopDistributionState.h"

namespace mlcompiler {

/// What a group has in addition to the numbers of its instructions.
constexpr FeatureText OwnGroupFeatures[] = {
    {"carried", "pairs of accesses that conflict between iterations"},
    {"vectorizes", "1: nothing that is known here keeps the loop vectoriser "
                   "from taking this group by itself"},
    {"reloads", "values loaded from where an earlier loop has stored them, or "
                "from an array that it has put them into, instead of computed "
                "again"},
};
constexpr size_t GroupFeatureCount =
    BodyFeatureCount + std::size(OwnGroupFeatures);
/// The values of BodyFeatures, followed by those of OwnGroupFeatures.
using GroupNumbers = std::array<float, GroupFeatureCount>;

/// Numbers of the decision as a whole.
constexpr FeatureText DecisionFeatures[] = {
    {"trip_count", "iterations if constant, otherwise 0"},
    {"depth", "loops around the body"},
    {"nodes", "nodes of the loop"},
    {"undecided", "nodes that are in no group yet"},
    {"groups", "groups begun"},
    {"checks", "pairs of accesses that need a check at run time if the loop "
               "is split between them"},
    {"depends", "1: the node depends on one in the current group"},
    {"shared_arrays", "objects that both the node and the current group "
                      "access"},
    {"recomputed", "instructions that the current group has and that the node "
                   "would compute again in a loop of its own"},
};
constexpr size_t DecisionFeatureCount = std::size(DecisionFeatures);
using DecisionNumbers = std::array<float, DecisionFeatureCount>;

/// What an agent sees of a node that may come next.
struct NodeFeatures {
  /// The numbers of the node in a loop of its own. If that is not allowed, they
  /// are as if the loop held nothing else.
  GroupNumbers Node{};
  /// The numbers of the group that the node would join, and of both together.
  GroupNumbers Group{};
  GroupNumbers Merged{};
  DecisionNumbers Decision{};
  /// The places in the body of the instructions that the node has in a loop of
  /// its own, and of those in the group.
  llvm::BitVector NodeBody;
  llvm::BitVector GroupBody;
};

NodeFeatures describeNode(const DistributionState &State, unsigned Node,
                          llvm::ScalarEvolution &SE);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONFEATURES_H
