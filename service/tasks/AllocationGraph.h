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

/// What a node has after its RangeFeatures.
constexpr FeatureText OwnNodeFeatures[] = {
    {"state", "0: waits for a register, 1: is the current one, 2: has one"},
    {"register", "LLVM's number of that register"},
};

/// The interference graph. It has the "names" of the live ranges in their
/// order, and the numbers of each as "nodes". Its "edges" are pairs of live
/// ranges that are live at the same time and whose classes share a register. A
/// pair has the places of both in the order, the smaller place first.
llvm::json::Object describeInterference(const Allocation &Of);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H
