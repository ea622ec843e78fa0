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

/// A machine basic block and the costs of executing it.
struct CostedBlock {
  llvm::StringRef Function;
  /// Executions of the block for each execution of the function.
  double Frequency;
  /// The costs of one execution. Calls of functions of other modules are not
  /// counted yet.
  BlockCosts Costs;
  /// The symbols that its calls and jumps name, including those of blocks. A
  /// call that names none has the empty symbol.
  llvm::ArrayRef<llvm::StringRef> Targets;
};

/// Generates code and hands over every block that has instructions, in order.
/// Fails if the cpu has no scheduling model; the message names \p Objective.
llvm::Error costBlocks(Compilation &C, llvm::StringRef Objective,
                       llvm::function_ref<void(const CostedBlock &)> Consumer);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKCYCLES_H
