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
}

namespace mlcompiler {

/// The feature that says that to inline a call removes the callee's body.
constexpr const char *CalleeRemovedName = "callee_removed";

/// A number that linkage and uses say of a direct call's caller and callee.
struct LinkageFeature {
  const char *Name;
  /// The least is 0.
  double High;
  int64_t (*Compute)(const llvm::CallBase &CB);
  const char *Doc;
};

llvm::ArrayRef<LinkageFeature> linkageFeatures();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_INLININGLINKAGE_H
