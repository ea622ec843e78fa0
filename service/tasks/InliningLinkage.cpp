//===- InliningLinkage.cpp - Whose bodies go with a call ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "InliningLinkage.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/InstrTypes.h"

using namespace llvm;
using namespace mlcompiler;

int64_t mlcompiler::countCallSites(const Function &Callee) {
  return count_if(Callee.uses(), [](const Use &U) {
    const auto *CB = dyn_cast<CallBase>(U.getUser());
    return CB && CB->isCallee(&U);
  });
}

namespace {

/// Which code can use a function.
enum Linkage { Local, Discardable, Exported };

} // namespace

static Linkage linkage(const Function &F) {
  if (F.hasLocalLinkage())
    return Local;
  return F.isDiscardableIfUnused() ? Discardable : Exported;
}

/// Whether the object file has the body of \p F only as long as \p F is used.
/// It never has a body that is available externally.
static bool goesWithLastUse(const Function &F) {
  return linkage(F) != Exported && !F.hasAvailableExternallyLinkage();
}

bool mlcompiler::isRemovable(const Function &F) {
  return goesWithLastUse(F) && countCallSites(F) == int64_t(F.getNumUses());
}

static bool isLastUse(const CallBase &CB) {
  return CB.getCalledFunction()->hasOneUse();
}

/// The bound of counts, which is that of LLVM's own features.
static constexpr double Limit = 2147483648.0;

static const CallFeature Features[] = {
    {"caller_linkage", 2,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return linkage(*CB.getCaller());
     },
     "who can use the caller. 0: this module alone (internal, private). 1: "
     "others, which have a body of their own (linkonce, "
     "available_externally). 2: others, which need this one"},
    {"callee_linkage", 2,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return linkage(*CB.getCalledFunction());
     },
     "who can use the callee, as caller_linkage says it of the caller"},
    {"caller_uses", Limit,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return CB.getCaller()->getNumUses();
     },
     "uses of the caller in this module: calls of it, and places that take its "
     "address"},
    {"callee_uses", Limit,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return CB.getCalledFunction()->getNumUses();
     },
     "uses of the callee in this module, this call included"},
    {"callee_call_sites", Limit,
     [](const CallBase &CB, const AskedCalls &) {
       return countCallSites(*CB.getCalledFunction());
     },
     "how many of the uses of the callee are calls of it, this one included"},
    {"callee_discardable", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return goesWithLastUse(*CB.getCalledFunction());
     },
     "1 if the callee's body goes with its last use: the object file has one, "
     "and others do not need it"},
    {"callee_last_use", 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return isLastUse(CB);
     },
     "1 if this call is the only use of the callee that is left"},
    {CalleeRemovedName, 1,
     [](const CallBase &CB, const AskedCalls &) -> int64_t {
       return isLastUse(CB) && goesWithLastUse(*CB.getCalledFunction());
     },
     "1 if to inline this call removes the callee's body: this is its last "
     "use, and it is discardable"},
};

ArrayRef<CallFeature> mlcompiler::linkageFeatures() { return Features; }
