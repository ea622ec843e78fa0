//===- ObservationSource.h - A way to see the program -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBSERVATIONS_OBSERVATIONSOURCE_H
#define MLCOMPILER_GYM_SERVICE_OBSERVATIONS_OBSERVATIONSOURCE_H

#include "Compilation.h"
#include "tasks/Task.h"
#include "llvm/Support/Registry.h"

namespace mlcompiler {

/// A decision that has been taken.
struct TakenDecision {
  std::string Label;
  std::string Action;
};

/// What an observation may look at.
struct ObservationContext {
  Compilation &Compile;
  /// Null unless the compiler is stopped at a decision.
  const Task *Stopped;
  llvm::ArrayRef<TakenDecision> Taken;
};

/// A way to see the program, computed when asked for.
class ObservationSource {
public:
  virtual ~ObservationSource() = default;

  virtual std::string observe(const ObservationContext &Context) const = 0;

  /// Whether it exists only while the compiler is stopped at a decision.
  virtual bool needsDecision() const { return false; }

  /// "text" or "json".
  virtual llvm::StringRef media() const { return "text"; }
};

using ObservationRegistry = llvm::Registry<ObservationSource>;

/// Computes each of \p Names. Those that do not exist in this state are an
/// error if \p Strict and left out otherwise.
llvm::Error
observe(const ObservationContext &Context,
        const google::protobuf::RepeatedPtrField<std::string> &Names,
        bool Strict,
        google::protobuf::RepeatedPtrField<proto::Observation> &Out);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBSERVATIONS_OBSERVATIONSOURCE_H
