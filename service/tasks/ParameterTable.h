//===- ParameterTable.h - Numbers that LLVM can be told ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_PARAMETERTABLE_H
#define MLCOMPILER_GYM_SERVICE_TASKS_PARAMETERTABLE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace mlcompiler {

/// An option of LLVM's that says how far an optimisation goes.
struct Parameter {
  /// What belongs together, for a person.
  llvm::StringLiteral Group;
  /// As `opt`, `llc` and `clang -mllvm` have it.
  llvm::StringLiteral Name;
  /// What LLVM has registered; empty if that is nothing.
  llvm::StringLiteral Default;
  /// What it can be set to, separated by spaces, in ascending order. Left out
  /// is the default, where to set it is the same as not to.
  llvm::StringLiteral Values;
  llvm::StringLiteral Doc;
};

/// All that can be decided, group by group.
llvm::ArrayRef<Parameter> parameterTable();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_PARAMETERTABLE_H
