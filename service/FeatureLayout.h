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

/// Where the features are that a session sends: the tensors of the task's
/// description, in its order, one behind the other, without those whose option
/// is not set. For a policy, behind them what is observed of the program.
class FeatureLayout {
public:
  FeatureLayout() = default;
  /// The features of a session that was opened so, and \p Observed.
  FeatureLayout(const proto::TaskSpec &Spec, const proto::Open &Options,
                llvm::ArrayRef<proto::TensorSpec> Observed = {});

  struct Place {
    proto::DType Type;
    /// Among the features that are sent.
    size_t Number;
    /// Where it begins, counted in elements and in bytes.
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

  /// Whether a place is one of what is observed.
  bool isObserved(size_t Offset) const { return Offset >= FeatureElements; }

  /// Appends to \p Columns what \p Floats hold of the actions that are legal,
  /// action by action, and to \p Rest what they hold besides.
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

  /// So many elements from an offset on.
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
  /// For each feature that has an element, or a row of them, for each action:
  /// the element or the row of action 0.
  llvm::SmallVector<Piece, 0> Columns;
  /// Everything between them.
  llvm::SmallVector<Piece, 0> Others;
  /// By feature that is not sent, the option that it takes.
  llvm::StringMap<std::string> Options;
  std::string Task;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H
