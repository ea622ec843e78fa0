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

/// Whether LLVM generates the code of each function of \p M from what
/// hashFunctions() hashes, so that it is the same whatever else is in the
/// module. False also where that is not known.
bool areFunctionsIndependent(const llvm::Module &M,
                             const llvm::TargetMachine &Target);

struct FunctionKey {
  const llvm::Function *Of;
  CodeKey Key;
};

/// Hashes, for each function of \p M that code is generated for, in their
/// order, all that its machine code depends on: its IR with everything that a
/// code generator can see of it; what is visible of the globals that it names,
/// and of those that constants among them name; and what is the same for the
/// whole module, to which \p Settings says what is not in it. Nothing if one of
/// them cannot be hashed.
std::optional<std::vector<FunctionKey>> hashFunctions(const llvm::Module &M,
                                                      llvm::StringRef Settings);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FUNCTIONKEYS_H
