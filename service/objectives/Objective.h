//===- Objective.h - A number of the compiled code --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBJECTIVES_OBJECTIVE_H
#define MLCOMPILER_GYM_SERVICE_OBJECTIVES_OBJECTIVE_H

#include "Compilation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Registry.h"

namespace mlcompiler {

/// A number that is measured of the compiled code; lower is better.
class Objective {
public:
  virtual ~Objective() = default;

  /// Measures the module as it stands and leaves it as it is.
  virtual llvm::Expected<double> measure(Compilation &C) const = 0;

  /// If the objective is a sum over functions, one function's part of it.
  virtual std::optional<double> ofFunction(const AllocatedFunction &F) const {
    return std::nullopt;
  }

  /// Whether the same module always gives the same value.
  virtual bool isDeterministic() const { return true; }

  /// Whether measuring it generates code.
  virtual bool isOfCode() const { return false; }
};

using ObjectiveRegistry = llvm::Registry<Objective>;

/// The values that have been measured in one compile.
class Measurements {
public:
  /// Measures each of \p Names in turn into \p Out. A deterministic objective
  /// is measured again only if the module has changed.
  llvm::Error
  measure(Compilation &C,
          const google::protobuf::RepeatedPtrField<std::string> &Names,
          google::protobuf::RepeatedPtrField<proto::Measurement> &Out);

private:
  llvm::Expected<double> measure(Compilation &C, llvm::StringRef Name);

  struct Known {
    uint64_t Version = 0;
    double Value = 0;
    bool OfCode = false;
  };
  llvm::StringMap<Known> Values;
};

/// Whether all of \p Names are sums over functions.
bool areSumsOverFunctions(
    const google::protobuf::RepeatedPtrField<std::string> &Names);

/// Fills in one function's part of each objective that is a sum over functions.
void measureFunction(
    const AllocatedFunction &F,
    const google::protobuf::RepeatedPtrField<std::string> &Names,
    proto::FunctionOutcome &Out);

/// Fails if one of \p Names is no objective, with a message that lists the
/// objectives.
llvm::Error
checkObjectives(const google::protobuf::RepeatedPtrField<std::string> &Names);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBJECTIVES_OBJECTIVE_H
