//===- AllocationGraph.h - What cannot share a register ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H

#include "Allocation.h"
#include "InterferenceGraph.h"

namespace mlcompiler {

InterferenceGraph describeInterference(const Allocation &Of);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONGRAPH_H
