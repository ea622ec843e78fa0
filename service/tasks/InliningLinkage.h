//===- InliningLinkage.h - Whose bodies go with a call ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H
#define MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/ValueMap.h"
#include <cstdint>

namespace llvm {
class CallBase;
class Function;
} // namespace llvm

namespace mlcompiler {

/// The feature that says that inlining a call removes the callee's body.
constexpr const char *CalleeRemovedName = "callee_removed";

/// The calls that have been asked about. A call that still exists was kept.
using AskedCalls = llvm::ValueMap<const llvm::Value *, bool>;

/// A number of a direct call, its caller and its callee, which may depend on
/// earlier decisions.
struct CallFeature {
  const char *Name;
  double High;
  int64_t (*Compute)(const llvm::CallBase &CB, const AskedCalls &Asked);
  const char *Doc;
  double Low = 0;
};

/// Features of linkage and uses.
llvm::ArrayRef<CallFeature> linkageFeatures();

/// How many uses of \p Callee call it.
int64_t countCallSites(const llvm::Function &Callee);

/// Whether the body of \p F goes away once all its calls are inlined: it is in
/// the object file, no other module needs it, and every use is a call.
bool isRemovable(const llvm::Function &F);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H
