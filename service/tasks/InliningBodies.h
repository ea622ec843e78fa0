//===- InliningBodies.h - What a call joins ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_INLININGBODIES_H
#define MLCOMPILER_GYM_SERVICE_TASKS_INLININGBODIES_H

#include "InliningLinkage.h"

namespace mlcompiler {

/// Features of the bodies and attributes of caller and callee.
llvm::ArrayRef<CallFeature> bodyFeatures();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_INLININGBODIES_H
