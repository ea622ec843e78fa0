//===- LoopFlags.h - Metadata of loops, however it is formed ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_LOOPFLAGS_H
#define MLCOMPILER_GYM_SERVICE_LOOPFLAGS_H

#include "llvm/Analysis/LoopInfo.h"
#include <optional>

namespace mlcompiler {

/// The flag that asks LLVM to distribute a loop, or forbids it.
constexpr const char *DistributeFlag = "llvm.loop.distribute.enable";

/// The value of the flag \p Name in a loop's metadata, as LLVM's
/// getOptionalBoolLoopAttribute reads it: a flag without a value is true.
/// Returns nullopt if the flag is missing, or its value is no number. The
/// verifier accepts such a value, but LLVM's own reader would stop the process.
std::optional<bool> loopFlag(const llvm::Loop &L, llvm::StringRef Name);

/// Drops the flag \p Name if its value is no number, so that later passes of
/// LLVM do not stop at it. The meaning of the program stays the same. Returns
/// whether it dropped the flag.
bool dropIfMalformed(llvm::Loop &L, llvm::StringRef Name);

/// Whether a loop's metadata has a property whose name begins with \p Prefix.
bool hasProperty(const llvm::Loop &L, llvm::StringRef Prefix);

/// Adds a property, which the loop's metadata must not have yet.
void addProperty(llvm::Loop &L, llvm::StringRef Name, unsigned Value);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_LOOPFLAGS_H
