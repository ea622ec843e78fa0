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

/// The feature that says that to inline a call removes the callee's body.
constexpr const char *CalleeRemovedName = "callee_removed";

/// The calls that have been asked about. One that is still there was kept.
using AskedCalls = llvm::ValueMap<const llvm::Value *, bool>;

/// A number that is read off a direct call, its caller and its callee, and off
/// what was decided before.
struct CallFeature {
  const char *Name;
  double High;
  int64_t (*Compute)(const llvm::CallBase &CB, const AskedCalls &Asked);
  const char *Doc;
  double Low = 0;
};

/// What linkage and uses say.
llvm::ArrayRef<CallFeature> linkageFeatures();

/// Uses of \p Callee that call it.
int64_t countCallSites(const llvm::Function &Callee);

/// Whether a body goes once all that use the function have inlined it: it is in
/// the object file, others do not need it, and all that use it call it.
bool isRemovable(const llvm::Function &F);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H
