//===- InliningLinkage.h - Whose bodies go with a call ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H
#define MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace llvm {
class CallBase;
class Function;
} // namespace llvm

namespace mlcompiler {

/// The feature that says that to inline a call removes the callee's body.
constexpr const char *CalleeRemovedName = "callee_removed";

/// A number that is read off a direct call, its caller and its callee.
struct CallFeature {
  const char *Name;
  /// The least is 0.
  double High;
  int64_t (*Compute)(const llvm::CallBase &CB);
  const char *Doc;
};

/// What linkage and uses say.
llvm::ArrayRef<CallFeature> linkageFeatures();

/// Whether a body goes once all that use the function have inlined it: others
/// do not need it, and all that use it call it.
bool isRemovable(const llvm::Function &F);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H
