//===- SeenBodies.cpp - Functions that are looked at alone ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "SeenBodies.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Pass.h"

using namespace llvm;
using namespace mlcompiler;

/// Whether \p V may turn out to be a global variable once it is simplified.
static bool mayBeGlobal(const Value *V) {
  SmallVector<const Value *> Left{V};
  SmallPtrSet<const Value *, 16> Seen;
  while (!Left.empty()) {
    const Value *Next = Left.pop_back_val();
    if (!Seen.insert(Next).second)
      continue;
    if (isa<GlobalVariable>(Next))
      return true;
    if (isa<Argument, BasicBlock, AllocaInst>(Next) ||
        (isa<CallBase>(Next) && !isa<IntrinsicInst>(Next)))
      continue;
    if (auto *Load = dyn_cast<LoadInst>(Next)) {
      const auto *From = dyn_cast<GlobalVariable>(
          getUnderlyingObject(Load->getPointerOperand(), /*MaxLookup=*/0));
      if (From && !From->isConstant())
        continue;
    }
    if (auto *Whole = dyn_cast<User>(Next))
      Left.append(Whole->value_op_begin(), Whole->value_op_end());
  }
  return false;
}

bool mlcompiler::mayReveal(const Function &F) {
  return !F.isDeclarationForLinker() && F.getReturnType()->isPointerTy() &&
         any_of(F, [](const BasicBlock &B) {
           auto *Return = dyn_cast<ReturnInst>(B.getTerminator());
           return Return && mayBeGlobal(Return->getReturnValue());
         });
}

SetVector<const Function *> mlcompiler::revealedTo(const Function &F) {
  SetVector<const Function *> Found;
  Found.insert(&F);
  for (size_t I = 0; I != Found.size(); ++I)
    for (const Instruction &Each : instructions(*Found[I]))
      if (auto *Call = dyn_cast<CallBase>(&Each))
        if (const Function *Callee = Call->getCalledFunction())
          if (mayReveal(*Callee))
            Found.insert(Callee);
  Found.remove(&F);
  return Found;
}

/// The attribute of a marked function. Its value is the function's linkage.
static constexpr StringLiteral Mark = "mlcompiler-seen-only";

void mlcompiler::markSeenOnly(Function &F) {
  F.addFnAttr(Mark, utostr(F.getLinkage()));
}

bool mlcompiler::isSeenOnly(const Function &F) {
  return F.hasFnAttribute(Mark);
}

namespace {

/// Changes the linkage of functions that are marked. Machine passes leave out a
/// function that is available externally, but CodeGenPrepare does not trust the
/// body of one.
class LinkagePass : public FunctionPass {
public:
  explicit LinkagePass(bool Skip) : FunctionPass(ID), Skip(Skip) {}

  StringRef getPassName() const override { return "Linkage of what is seen"; }

  bool runOnFunction(Function &F) override {
    if (!isSeenOnly(F))
      return false;
    unsigned Own = 0;
    F.getFnAttribute(Mark).getValueAsString().getAsInteger(10, Own);
    F.setLinkage(Skip ? GlobalValue::AvailableExternallyLinkage
                      : static_cast<GlobalValue::LinkageTypes>(Own));
    return true;
  }

  void getAnalysisUsage(AnalysisUsage &AU) const override {
    AU.setPreservesAll();
  }

  static char ID;

private:
  const bool Skip;
};

} // namespace

char LinkagePass::ID = 0;

FunctionPass *mlcompiler::createBeginSkippingPass() {
  return new LinkagePass(/*Skip=*/true);
}

FunctionPass *mlcompiler::createEndSkippingPass() {
  return new LinkagePass(/*Skip=*/false);
}
