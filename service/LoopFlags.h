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

/// Whether a loop is to be distributed.
constexpr const char *DistributeFlag = "llvm.loop.distribute.enable";

/// What a loop's metadata says of \p Name, as LLVM's
/// getOptionalBoolLoopAttribute reads it: true if it is there without a value.
/// Nothing if it is not there, or malformed: the verifier lets through what is
/// no number, where LLVM's own reader stops the process.
std::optional<bool> loopFlag(const llvm::Loop &L, llvm::StringRef Name);

/// Takes it away if it is malformed, which changes nothing that a program
/// means, so that passes of LLVM's that come later do not stop at it. Whether
/// it was there.
bool dropIfMalformed(llvm::Loop &L, llvm::StringRef Name);

/// Whether a loop's metadata has a property whose name begins so.
bool hasProperty(const llvm::Loop &L, llvm::StringRef Prefix);

/// Adds a property that the loop's metadata does not have.
void addProperty(llvm::Loop &L, llvm::StringRef Name, unsigned Value);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_LOOPFLAGS_H
