//===- SeenBodies.h - Functions that are looked at alone --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// CodeGenPrepare looks into the functions that a function calls. Where a
/// callee always returns the address of one global variable, it uses that
/// address in place of the call's result. So the code of a function is the same
/// as in the whole module only if such a callee keeps its body. If the callee
/// comes first in the module, CodeGenPrepare must also have changed that body
/// before.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SEENBODIES_H
#define MLCOMPILER_GYM_SERVICE_SEENBODIES_H

#include "llvm/ADT/SetVector.h"
#include "llvm/IR/Function.h"

namespace llvm {
class FunctionPass;
}

namespace mlcompiler {

/// Whether the code generator may see from the body of \p F which pointer \p F
/// returns, and use that in the callers' code. It does so if all returns come
/// down to one global variable. Such a body must be there when code is
/// generated for the callers.
bool mayReveal(const llvm::Function &F);

/// The other functions whose bodies the code of \p F may depend on.
llvm::SetVector<const llvm::Function *> revealedTo(const llvm::Function &F);

/// Marks \p F as a function whose body may be looked at. No code is generated
/// for a marked function.
void markSeenOnly(llvm::Function &F);
bool isSeenOnly(const llvm::Function &F);

/// Two passes that go before the first machine pass and behind the last one.
/// The machine passes between them leave out the marked functions.
llvm::FunctionPass *createBeginSkippingPass();
llvm::FunctionPass *createEndSkippingPass();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SEENBODIES_H
