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

/// How many calls in \p F produce code. If \p Callee is not null, only calls of
/// it count.
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

/// How many instructions go away with a call: the call, and one for each
/// argument.
static int64_t callInstructions(const CallBase &CB) {
  return 1 + CB.arg_size();
}

/// The bound of counts, which is that of LLVM's own features.
static constexpr double Limit = 2147483648.0;

static const CallFeature Features[] = {
    {"caller_instructions", Limit,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return CB.getCaller()->getInstructionCount();
     },
     "instructions of the caller"},
    {"callee_instructions", Limit,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return CB.getCalledFunction()->getInstructionCount();
     },
     "instructions of the callee"},
    {"callee_calls", Limit,
     [](const CallBase &CB, const AskedCalls &) {
       return countCalls(*CB.getCalledFunction());
     },
     "calls in the callee, without intrinsics"},
    {"callee_allocas", Limit,
     [](const CallBase &CB, const AskedCalls &) {
       return countAllocas(*CB.getCalledFunction());
     },
     "what the callee allocates on its stack, in its first block"},
    {"callee_parameters", Limit,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return CB.arg_size();
     },
     "arguments of the call"},
    {"callee_sites_in_caller", Limit,
     [](const CallBase &CB, const AskedCalls &) {
       return countCalls(*CB.getCaller(), CB.getCalledFunction());
     },
     "calls of the callee in the caller, this one included"},
    {"caller_removable", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return isRemovable(*CB.getCaller());
     },
     "1 if the caller's body goes once all its callers have inlined it: it is "
     "discardable, and nothing takes its address"},
    {"callee_removable", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return isRemovable(*CB.getCalledFunction());
     },
     "1 if the callee's body goes once all its callers have inlined it"},
    {"callee_hinted", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return CB.getCalledFunction()->hasFnAttribute(Attribute::InlineHint);
     },
     "1 if the source asks for the callee to be inlined (inlinehint)"},
    {"callee_unwinds", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return !CB.getCalledFunction()->doesNotThrow();
     },
     "1 if the callee may throw an exception (not nounwind)"},
    {"callee_returns", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return !CB.getCalledFunction()->doesNotReturn();
     },
     "1 if the callee may return (not noreturn)"},
    {"call_catches", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return isa<InvokeInst>(CB);
     },
     "1 if the caller goes on where the callee throws (invoke)"},
    {"callee_sites_kept", Limit,
     [](const CallBase &CB, const AskedCalls &Asked) {
       return count_if(CB.getCalledFunction()->users(), [&](const User *U) {
         return U != &CB && Asked.count(U);
       });
     },
     "calls of the callee that were decided on before and kept"},
    {"callee_growth", Limit,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       const Function &Callee = *CB.getCalledFunction();
       const int64_t Body = Callee.getInstructionCount();
       const int64_t Bodies = countCallSites(Callee) - isRemovable(Callee);
       return Bodies * Body - countCallSites(Callee) * callInstructions(CB);
     },
     "instructions that the module gains if all calls of the callee are "
     "inlined: a body for each, less the calls and their arguments, and less "
     "the body that goes then",
     -Limit},
};

ArrayRef<CallFeature> mlcompiler::bodyFeatures() { return Features; }
