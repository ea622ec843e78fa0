//===- ProgramCosts.h - What a run of a program costs -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PROGRAMCOSTS_H
#define MLCOMPILER_GYM_SERVICE_PROGRAMCOSTS_H

#include "BlockCosts.h"
#include "Compilation.h"

namespace mlcompiler {

/// How often functions are entered.
enum class Entered {
  /// Once for each call from outside of the functions that others can see, and
  /// then as often as call sites are executed.
  ByCalls,
  /// As often as the program's profile says; fails if it has none.
  ByProfile,
  /// By the profile if there is one, and by calls if not.
  ByEither
};

/// Generates code and sums up all blocks, each by how often it is executed.
/// \p What needs it, for messages.
llvm::Expected<BlockCosts> programCosts(Compilation &C, llvm::StringRef What,
                                        Entered How);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PROGRAMCOSTS_H
