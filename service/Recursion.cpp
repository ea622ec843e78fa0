//===- Recursion.cpp - Whether a function may call itself -----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Recursion.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;
using namespace mlcompiler;

static bool callsBack(const CallBase &Call, const Function &Callee,
                      const TargetLibraryInfo &TLI) {
  if (isa<IntrinsicInst>(Call) || Callee.doesNotRecurse() ||
      Call.hasFnAttr(Attribute::NoCallback))
    return false;
  LibFunc Known;
  return !TLI.getLibFunc(Callee, Known) || Known == LibFunc_qsort;
}

bool mlcompiler::mayRecurse(const Function &F, const TargetLibraryInfo &TLI) {
  if (F.doesNotRecurse())
    return false;
  SmallSetVector<const Function *, 16> Reached;
  bool Comes = false, IsAnywhere = false;
  auto Reach = [&](const Function &Callee) {
    Comes |= &Callee == &F;
    Reached.insert(&Callee);
  };
  auto ReachAnywhere = [&] {
    if (IsAnywhere)
      return;
    IsAnywhere = true;
    for (const Function &Other : *F.getParent())
      if (!Other.isDeclaration() &&
          (Other.hasAddressTaken() ||
           (!Other.hasLocalLinkage() && Other.getName() != "main")))
        Reach(Other);
  };
  auto Look = [&](const Function &In) {
    for (const Instruction &I : instructions(In)) {
      const auto *Call = dyn_cast<CallBase>(&I);
      if (!Call)
        continue;
      const Function *Callee = Call->getCalledFunction();
      if (Callee && !Callee->isDeclaration())
        Reach(*Callee);
      const bool IsHere =
          Callee && !Callee->isDeclaration() && !Callee->isInterposable();
      if (!IsHere && (!Callee || callsBack(*Call, *Callee, TLI)))
        ReachAnywhere();
    }
  };
  Look(F);
  for (size_t Next = 0; !Comes && Next != Reached.size(); ++Next)
    Look(*Reached[Next]);
  return Comes;
}
