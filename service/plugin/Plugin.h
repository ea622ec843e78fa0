//===- Plugin.h - Between the two halves of the plugin ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PLUGIN_PLUGIN_H
#define MLCOMPILER_GYM_SERVICE_PLUGIN_PLUGIN_H

namespace llvm {
class PassBuilder;
}

/// Puts policies into the pipelines of a PassBuilder of LLVM 22.1.
extern "C" __attribute__((visibility("default"))) void
mlcg_plugin_register(llvm::PassBuilder *PB);

#endif // MLCOMPILER_GYM_SERVICE_PLUGIN_PLUGIN_H
