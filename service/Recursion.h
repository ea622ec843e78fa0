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

/// Whether a call of \p F may lead to another call of \p F. Code outside the
/// module is taken to call every function that it can reach, except main.
/// Functions of the C library are known to call nothing back, unless they take
/// a function to call. The answer does not need the attribute norecurse, which
/// is inferred late.
bool mayRecurse(const llvm::Function &F, const llvm::TargetLibraryInfo &TLI);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_RECURSION_H
