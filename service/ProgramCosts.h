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
  /// Functions that other modules can see are entered once from outside. Every
  /// function is also entered as often as its call sites are executed.
  ByCalls,
  /// As often as the program's profile says; fails if it has none.
  ByProfile,
  /// By the profile if there is one, and by calls if not.
  ByEither
};

/// Generates code and sums up the costs of all blocks, each counted as often as
/// it is executed. \p What names in messages what needs the costs.
llvm::Expected<BlockCosts> programCosts(Compilation &C, llvm::StringRef What,
                                        Entered How);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PROGRAMCOSTS_H
