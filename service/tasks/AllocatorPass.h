//===- AllocatorPass.h - A register allocator of our own --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATORPASS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATORPASS_H

#include "Allocation.h"

namespace mlcompiler {

/// Decides what becomes of the live ranges of each function.
class AllocationDriver {
public:
  virtual ~AllocationDriver() = default;

  /// Gives a register to every live range that needs one.
  virtual void allocate(const AllocationAnalyses &Analyses) = 0;
};

/// Lets LLVM allocate registers as \p Driver says, until this is called again.
/// LLVM keeps its choice of an allocator in a global variable, so only a
/// session may call this.
void useAllocator(AllocationDriver &Driver);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATORPASS_H
