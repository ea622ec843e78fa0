//===- FunctionKeys.h - What decides a function's code ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FUNCTIONKEYS_H
#define MLCOMPILER_GYM_SERVICE_FUNCTIONKEYS_H

#include "CodeCache.h"
#include "llvm/IR/Module.h"
#include <optional>
#include <vector>

namespace llvm {
class TargetMachine;
}

namespace mlcompiler {

/// Whether the code of each function of \p M depends only on what
/// hashFunctions() hashes, and on nothing else in the module. Returns false if
/// in doubt.
bool areFunctionsIndependent(const llvm::Module &M,
                             const llvm::TargetMachine &Target);

struct FunctionKey {
  const llvm::Function *Of;
  CodeKey Key;
};

/// Returns a hash for each function of \p M that code is generated for, in the
/// order of the module. It covers everything that the function's machine code
/// depends on:
///
/// - everything that a code generator can see of its IR;
/// - what is visible of the globals that it names, and of the globals that
///   constants among them name in turn;
/// - what all functions share: flags of the module, and \p Settings, which says
///   what is not in the module.
///
/// Returns nullopt if one function cannot be hashed.
std::optional<std::vector<FunctionKey>> hashFunctions(const llvm::Module &M,
                                                      llvm::StringRef Settings);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FUNCTIONKEYS_H
