//===- FeatureLayout.h - Where each feature of a decision is ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H
#define MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// Where each feature lies in what a session sends. The features are the
/// tensors of the task's description, one after the other in its order; tensors
/// whose option is not set are left out. For a policy, the observations of the
/// program follow.
class FeatureLayout {
public:
  FeatureLayout() = default;
  /// The features of a session that was opened with \p Options, and
  /// \p Observed.
  FeatureLayout(const proto::TaskSpec &Spec, const proto::Open &Options,
                llvm::ArrayRef<proto::TensorSpec> Observed = {});

  struct Place {
    proto::DType Type;
    /// Its index among the features that are sent.
    size_t Number;
    /// Where it begins, in elements and in bytes.
    size_t Offset;
    size_t Byte;
    size_t Elements;
  };
  /// Neighbouring elements of one dtype.
  struct Run {
    proto::DType Type;
    size_t Count;
  };

  /// Fails if the feature is not sent, and says why.
  llvm::Expected<Place> find(llvm::StringRef Name) const;
  /// Null if the feature is not sent.
  const Place *lookUp(llvm::StringRef Name) const;
  /// The feature that says which actions are legal, if the task names one.
  const std::optional<Place> &mask() const { return Mask; }

  /// Whether the place at \p Offset is one of an observation.
  bool isObserved(size_t Offset) const { return Offset >= FeatureElements; }

  /// Splits \p Floats, the elements of all features. Appends the elements of
  /// legal actions to \p Columns, action by action, and the elements that
  /// belong to no action to \p Rest.
  void split(llvm::StringRef Floats, llvm::StringRef Legal,
             std::string &Columns, std::string &Rest) const;

  /// By Place::Number.
  llvm::ArrayRef<std::string> names() const { return Names; }
  llvm::ArrayRef<Run> runs() const { return Runs; }
  size_t elements() const { return Elements; }
  size_t bytes() const { return Bytes; }
  /// The name of the task.
  const std::string &task() const { return Task; }

private:
  Place add(const proto::TensorSpec &Tensor);

  /// A number of elements from an offset on.
  struct Piece {
    size_t Offset;
    size_t Elements;
  };

  llvm::SmallVector<Run, 8> Runs;
  size_t Elements = 0;
  /// The elements that are not observed.
  size_t FeatureElements = 0;
  size_t Bytes = 0;
  std::vector<std::string> Names;
  llvm::StringMap<Place> Places;
  std::optional<Place> Mask;
  /// The features that have an element, or a row of elements, for each action.
  /// A piece is the element or row of action 0.
  llvm::SmallVector<Piece, 0> Columns;
  /// Everything between them.
  llvm::SmallVector<Piece, 0> Others;
  /// For each feature that is not sent, the option that would send it.
  llvm::StringMap<std::string> Options;
  std::string Task;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H
