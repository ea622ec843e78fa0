//===- BlockCycles.h - llvm-mca's cycles, block by block --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_BLOCKCYCLES_H
#define MLCOMPILER_GYM_SERVICE_BLOCKCYCLES_H

#include "BlockCosts.h"
#include "Compilation.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlcompiler {

/// A machine basic block and what an execution of it costs.
struct CostedBlock {
  llvm::StringRef Function;
  /// How often it is executed for each time that the function is.
  double Frequency;
  /// Of one execution; what it calls of other modules is not counted yet.
  BlockCosts Costs;
  /// Symbols that its calls and jumps name, blocks among them; a call that
  /// names none has the empty one.
  llvm::ArrayRef<llvm::StringRef> Targets;
};

/// Generates code and hands over every block of it that has instructions, in
/// order. Fails if the cpu has no scheduling model; \p Objective is named then.
llvm::Error costBlocks(Compilation &C, llvm::StringRef Objective,
                       llvm::function_ref<void(const CostedBlock &)> Consumer);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKCYCLES_H
