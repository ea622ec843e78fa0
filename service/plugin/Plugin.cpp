//===- Plugin.cpp - What is put into LLVM 22.1 ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Plugin.h"
#include "InliningPlugin.h"
#include "RegAllocPlugin.h"
#include "llvm/Target/RegisterTargetPassConfigCallback.h"

using namespace llvm;
using namespace mlcompiler;

/// Called by every program that generates code, such as clang and llc.
static RegisterTargetPassConfigCallback
    Codegen([](TargetMachine &, PassManagerBase &PM, TargetPassConfig *) {
      installRegAlloc(PM);
    });

void mlcg_plugin_register(PassBuilder *PB) { installInlining(*PB); }
