//===- Recursion.h - Whether a function may call itself ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_RECURSION_H
#define MLCOMPILER_GYM_SERVICE_RECURSION_H

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Function.h"

namespace mlcompiler {

/// Whether a call of \p F may lead to another one, as far as its module tells:
/// what is not in it may call all that can be called from elsewhere, but for
/// functions of the C library that take no function to call, and but for main.
/// Also before anything has inferred the attribute norecurse.
bool mayRecurse(const llvm::Function &F, const llvm::TargetLibraryInfo &TLI);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_RECURSION_H
