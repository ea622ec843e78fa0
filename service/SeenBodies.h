//===- SeenBodies.h - Functions that are looked at alone --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// CodeGenPrepare looks into functions that are called. Where one returns a
/// global variable, it uses the result of the call in that variable's place.
/// So a function's code can be that of its module only if such a callee has its
/// body, and if CodeGenPrepare has changed that body before if it comes first.
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

/// Whether the code generator may see by the body of \p F which pointer calls
/// to it return, of which it then makes use in its callers: it does where all
/// returns come down to one global variable. Such a body counts for its
/// callers, and must be there when their code is generated.
bool mayReveal(const llvm::Function &F);

/// The functions whose bodies count when the code of \p F is generated, itself
/// aside.
llvm::SetVector<const llvm::Function *> revealedTo(const llvm::Function &F);

/// Marks \p F as a function whose body is looked at, and whose code is not
/// generated.
void markSeenOnly(llvm::Function &F);
bool isSeenOnly(const llvm::Function &F);

/// Two passes between which machine passes leave out the functions that are
/// marked: one to stand before the first machine pass, and one behind the last.
llvm::FunctionPass *createBeginSkippingPass();
llvm::FunctionPass *createEndSkippingPass();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SEENBODIES_H
