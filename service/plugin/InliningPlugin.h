//===- InliningPlugin.h - Policies for LLVM's inliner -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PLUGIN_INLININGPLUGIN_H
#define MLCOMPILER_GYM_SERVICE_PLUGIN_INLININGPLUGIN_H

namespace llvm {
class PassBuilder;
}

namespace mlcompiler {

/// Lets a policy decide what the pipelines of \p PB inline, if there is a
/// policy for inlining.
void installInlining(llvm::PassBuilder &PB);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PLUGIN_INLININGPLUGIN_H
