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

/// An option of LLVM that says how far an optimisation goes.
struct Parameter {
  /// The group that it is listed in, for people.
  llvm::StringLiteral Group;
  /// Its name in `opt`, `llc` and `clang -mllvm`.
  llvm::StringLiteral Name;
  /// The default that LLVM has registered; empty if there is none.
  llvm::StringLiteral Default;
  /// The values that it can be set to, in ascending order, separated by spaces.
  /// The default is left out if setting it makes no difference.
  llvm::StringLiteral Values;
  llvm::StringLiteral Doc;
};

/// All parameters that can be decided, group by group.
llvm::ArrayRef<Parameter> parameterTable();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_PARAMETERTABLE_H
