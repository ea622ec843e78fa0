//===- FeatureLayout.h - Where each feature of a decision is ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H
#define MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// The dtypes of the features of a decision, in the order in which LLVM lays
/// them out.
class FeatureLayout {
public:
  FeatureLayout() = default;
  /// The features of a session that was opened so.
  FeatureLayout(const proto::TaskSpec &Spec, const proto::Open &Options);

  /// Where the elements of a feature are, counted in elements.
  struct Place {
    size_t Offset;
    size_t Elements;
  };
  /// Fails if the feature is not sent, and says why.
  llvm::Expected<Place> find(llvm::StringRef Name) const;

  /// Writes every element of \p Features as a float.
  void toFloats(llvm::StringRef Features, std::string &Out) const;

private:
  /// Neighbouring elements of one dtype.
  struct Run {
    proto::DType Type;
    size_t Count;
  };
  llvm::SmallVector<Run, 8> Runs;
  size_t Count = 0;
  llvm::StringMap<Place> Places;
  /// By feature that is not sent, the option that it takes.
  llvm::StringMap<std::string> Options;
  std::string Task;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FEATURELAYOUT_H
