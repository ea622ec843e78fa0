//===- AllocatorPass.h - A register allocator of our own --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATORPASS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATORPASS_H

#include "Allocation.h"

namespace mlcompiler {

/// Says what becomes of the live ranges of each function.
class AllocationDriver {
public:
  virtual ~AllocationDriver() = default;

  /// Gives every live range of \p MF that needs one a register.
  virtual void allocate(const AllocationAnalyses &Analyses) = 0;
};

/// Has LLVM allocate registers as \p Driver says, for the rest of the process
/// or until it is told otherwise. LLVM keeps what it allocates by in a global
/// variable, so this is for a session alone.
void useAllocator(AllocationDriver &Driver);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATORPASS_H
