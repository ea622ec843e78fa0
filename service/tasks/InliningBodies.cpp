//===- InliningBodies.cpp - What a call joins -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "InliningBodies.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;
using namespace mlcompiler;

/// Calls in \p F for which code is made, of \p Callee alone unless it is null.
static int64_t countCalls(const Function &F, const Function *Callee = nullptr) {
  return count_if(instructions(F), [&](const Instruction &I) {
    const auto *CB = dyn_cast<CallBase>(&I);
    return CB && !isa<IntrinsicInst>(CB) &&
           (!Callee || CB->getCalledFunction() == Callee);
  });
}

static int64_t countAllocas(const Function &F) {
  return count_if(F.getEntryBlock(),
                  [](const Instruction &I) { return isa<AllocaInst>(I); });
}

/// Of numbers of things, as for LLVM's own features.
static constexpr double Limit = 2147483648.0;

static const CallFeature Features[] = {
    {"caller_instructions", Limit,
     [](const CallBase &CB) -> int64_t {
       return CB.getCaller()->getInstructionCount();
     },
     "instructions of the caller"},
    {"callee_instructions", Limit,
     [](const CallBase &CB) -> int64_t {
       return CB.getCalledFunction()->getInstructionCount();
     },
     "instructions of the callee"},
    {"callee_calls", Limit,
     [](const CallBase &CB) { return countCalls(*CB.getCalledFunction()); },
     "calls in the callee, without intrinsics"},
    {"callee_allocas", Limit,
     [](const CallBase &CB) { return countAllocas(*CB.getCalledFunction()); },
     "what the callee allocates on its stack, in its first block"},
    {"callee_parameters", Limit,
     [](const CallBase &CB) -> int64_t { return CB.arg_size(); },
     "arguments of the call"},
    {"callee_sites_in_caller", Limit,
     [](const CallBase &CB) {
       return countCalls(*CB.getCaller(), CB.getCalledFunction());
     },
     "calls of the callee in the caller, this one included"},
    {"caller_removable", 1,
     [](const CallBase &CB) -> int64_t { return isRemovable(*CB.getCaller()); },
     "1 if the caller's body goes once all that call it have inlined it: it is "
     "discardable, and nothing takes its address"},
    {"callee_removable", 1,
     [](const CallBase &CB) -> int64_t {
       return isRemovable(*CB.getCalledFunction());
     },
     "the same of the callee"},
    {"callee_hinted", 1,
     [](const CallBase &CB) -> int64_t {
       return CB.getCalledFunction()->hasFnAttribute(Attribute::InlineHint);
     },
     "1 if the source asks for the callee to be inlined (inlinehint)"},
    {"callee_unwinds", 1,
     [](const CallBase &CB) -> int64_t {
       return !CB.getCalledFunction()->doesNotThrow();
     },
     "1 if the callee may throw an exception (not nounwind)"},
    {"callee_returns", 1,
     [](const CallBase &CB) -> int64_t {
       return !CB.getCalledFunction()->doesNotReturn();
     },
     "1 if the callee may return (not noreturn)"},
    {"call_catches", 1,
     [](const CallBase &CB) -> int64_t { return isa<InvokeInst>(CB); },
     "1 if the caller goes on where the callee throws (invoke)"},
};

ArrayRef<CallFeature> mlcompiler::bodyFeatures() { return Features; }
