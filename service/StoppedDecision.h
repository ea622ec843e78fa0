//===- StoppedDecision.h - What the compiler is stopped at ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_STOPPEDDECISION_H
#define MLCOMPILER_GYM_SERVICE_STOPPEDDECISION_H

#include "InterferenceGraph.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

namespace llvm {
class MachineFunction;
}

namespace mlcompiler {

/// The decision that the compiler is stopped at, as observations may see it. It
/// is valid only while the compiler is stopped.
class StoppedDecision {
public:
  virtual ~StoppedDecision() = default;

  /// A description for people.
  virtual llvm::json::Object describeDecision() const = 0;

  /// The same in a few words, for the list of decisions taken.
  virtual std::string decisionLabel() const = 0;

  /// The passes that have been run so far, or will be run if the pipeline has
  /// not begun, in the syntax of `opt -passes=`. Empty if passes alone do not
  /// describe that.
  virtual std::string pipeline() const { return ""; }

  /// The function whose code is being generated; null if none is.
  virtual const llvm::MachineFunction *machineFunction() const {
    return nullptr;
  }

  /// The live ranges of that function, if their registers are being decided one
  /// by one.
  virtual std::optional<InterferenceGraph> interference() const {
    return std::nullopt;
  }
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_STOPPEDDECISION_H
