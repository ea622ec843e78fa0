//===- StoppedDecision.h - What the compiler is stopped at ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_STOPPEDDECISION_H
#define MLCOMPILER_GYM_SERVICE_STOPPEDDECISION_H

#include "llvm/Support/JSON.h"
#include <string>

namespace llvm {
class MachineFunction;
}

namespace mlcompiler {

/// What the compiler is stopped at, for observations, which do not decide.
/// Valid only while it is stopped.
class StoppedDecision {
public:
  virtual ~StoppedDecision() = default;

  /// For a person.
  virtual llvm::json::Object describeDecision() const = 0;

  /// The same in a few words, for the list of decisions taken.
  virtual std::string decisionLabel() const = 0;

  /// What has been run so far, or before the pipeline is going to be, in the
  /// syntax of `opt -passes=`; empty if that is not all there is to it.
  virtual std::string pipeline() const { return ""; }

  /// The function whose code is being generated; null if none is.
  virtual const llvm::MachineFunction *machineFunction() const {
    return nullptr;
  }
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_STOPPEDDECISION_H
