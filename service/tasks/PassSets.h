//===- PassSets.h - Passes to choose among ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_PASSSETS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_PASSSETS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace mlcompiler {

/// A named set of pipelines, each of which can be an action.
struct PassSet {
  llvm::StringLiteral Name;
  llvm::StringLiteral Doc;
  /// Pipelines as `opt -passes=` takes them, except that passes of different
  /// levels may follow one another.
  llvm::ArrayRef<llvm::StringLiteral> Actions;
};

llvm::ArrayRef<PassSet> passSets();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_PASSSETS_H
