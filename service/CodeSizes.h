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

/// Generates the code of the functions of these names alone.
using ShapeGenerator = llvm::function_ref<llvm::Error(
    const llvm::StringSet<> &Functions, ShapeConsumer Consumer)>;

/// Says how many bytes of code a module has, of which code is generated only
/// for the functions that the service's CodeCache does not know. \p Settings is
/// what code depends on beside the module.
///
/// Contract: to the byte what the whole module's object file has.
/// Failure mode: where the functions are not independent of each other, or have
/// something in their code that is not provided for, there is no answer, and
/// the caller must generate the whole code.
std::optional<uint64_t> sumOfFunctions(const llvm::Module &M,
                                       const llvm::TargetMachine &Target,
                                       llvm::StringRef Settings,
                                       ShapeGenerator Generate);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODESIZES_H
