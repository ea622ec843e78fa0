//===- CodeSizes.h - Bytes of code, function by function --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CODESIZES_H
#define MLCOMPILER_GYM_SERVICE_CODESIZES_H

#include "FunctionKeys.h"
#include "ShapeStreamer.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

namespace mlcompiler {

/// Generates the code of only the functions with these names.
using ShapeGenerator = llvm::function_ref<llvm::Error(
    const llvm::StringSet<> &Functions, ShapeConsumer Consumer)>;

/// Returns how many bytes of code a module has. Code is generated only for
/// functions that the service's CodeCache does not know. \p Settings is
/// everything else that the code depends on.
///
/// Contract: the result is what the object file of the whole module has, to the
/// byte.
/// Failure mode: returns nullopt where functions depend on each other, or where
/// their code has something that CodeShape does not describe. The caller must
/// then generate the whole code.
std::optional<uint64_t> sumOfFunctions(const llvm::Module &M,
                                       const llvm::TargetMachine &Target,
                                       llvm::StringRef Settings,
                                       ShapeGenerator Generate);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODESIZES_H
