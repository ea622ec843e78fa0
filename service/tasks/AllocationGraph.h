//===- AllocationGraph.h - What cannot share a register ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H

#include "AllocationFeatures.h"
#include "llvm/Support/JSON.h"

namespace mlcompiler {

/// What a node has behind its RangeFeatures.
constexpr FeatureText OwnNodeFeatures[] = {
    {"state", "0: waits for a register; 1: is at hand; 2: has one"},
    {"register", "LLVM's number of that register"},
};

/// The interference graph: "names" of the live ranges, in their order; "nodes",
/// the numbers of each; "edges", pairs of places of those that are live at the
/// same time, and of classes that share a register, the smaller place first.
llvm::json::Object describeInterference(const Allocation &Of);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H
