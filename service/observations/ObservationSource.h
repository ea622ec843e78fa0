//===- ObservationSource.h - A way to see the program -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBSERVATIONS_OBSERVATIONSOURCE_H
#define MLCOMPILER_GYM_SERVICE_OBSERVATIONS_OBSERVATIONSOURCE_H

#include "Compilation.h"
#include "StoppedDecision.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Registry.h"

namespace mlcompiler {

/// A decision that has been taken.
struct TakenDecision {
  std::string Label;
  std::string Action;
};

/// What an observation is about.
enum class Scope { Module, Function, Loop, CallSite };

/// What an observation may look at.
struct ObservationContext {
  Compilation &Compile;
  /// Null unless the compiler is stopped at a decision.
  const StoppedDecision *Stopped;
  llvm::ArrayRef<TakenDecision> Taken;
  Scope Of = Scope::Module;
};

/// A way to see the program, computed when asked for. One object serves one
/// compile. It may keep what it has computed as long as Compilation::version()
/// stays the same.
class ObservationSource {
public:
  virtual ~ObservationSource() = default;

  /// Fills in everything except the name and the doc, which the registry has.
  virtual void describe(proto::ObservationSpec &Spec) const = 0;

  /// Fills in everything except the name.
  virtual llvm::Error observe(const ObservationContext &Context,
                              proto::Observation &Out) = 0;
};

/// An observation of the module that is text.
class TextSource : public ObservationSource {
public:
  void describe(proto::ObservationSpec &Spec) const override;
  llvm::Error observe(const ObservationContext &Context,
                      proto::Observation &Out) override;

protected:
  /// The text, which need not be UTF-8.
  virtual std::string text(const ObservationContext &Context) const = 0;
  /// Whether the text exists only while the compiler is stopped at a decision.
  virtual bool needsDecision() const { return false; }
  virtual bool isJSON() const { return false; }
};

using ObservationRegistry = llvm::Registry<ObservationSource>;

/// The complete description of a registered observation.
proto::ObservationSpec
describeObservation(const ObservationRegistry::entry &Entry);

/// The observations of one compile by their names: "name" of the module or
/// "name@scope".
class ObservationSet {
public:
  using Names = google::protobuf::RepeatedPtrField<std::string>;

  /// Fails if one of \p Names does not exist, with a message that lists all
  /// observations.
  llvm::Error check(const Names &Names);

  /// The tensors of the observations in \p Names that are one tensor of a fixed
  /// shape, each under the name of its observation.
  llvm::SmallVector<proto::TensorSpec, 0> tensors(const Names &Names);

  /// Computes each of \p Names. An observation that does not exist in this
  /// state is an error if \p Strict, and is left out otherwise.
  llvm::Error
  observe(ObservationContext Context, const Names &Names, bool Strict,
          google::protobuf::RepeatedPtrField<proto::Observation> &Out);

private:
  struct Named {
    std::unique_ptr<ObservationSource> Source;
    proto::ObservationSpec Spec;
  };
  struct Wanted {
    Named *Of;
    Scope In;
  };

  llvm::Expected<Wanted> find(llvm::StringRef Name);

  /// The observations that have been asked for.
  llvm::StringMap<Named> Known;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBSERVATIONS_OBSERVATIONSOURCE_H
