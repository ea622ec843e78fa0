//===- RegAllocPlugin.h - Policies for LLVM's allocator ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PLUGIN_REGALLOCPLUGIN_H
#define MLCOMPILER_GYM_SERVICE_PLUGIN_REGALLOCPLUGIN_H

namespace llvm::legacy {
class PassManagerBase;
}

namespace mlcompiler {

/// Lets policies decide what the greedy register allocator evicts, and in which
/// order it allocates, if there are policies for that.
void installRegAlloc(llvm::legacy::PassManagerBase &PM);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PLUGIN_REGALLOCPLUGIN_H
