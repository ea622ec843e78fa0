//===- FeatureText.h - What the numbers of a tensor are ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FEATURETEXT_H
#define MLCOMPILER_GYM_SERVICE_FEATURETEXT_H

#include "llvm/ADT/ArrayRef.h"
#include <string>

namespace mlcompiler {

/// One number among those of a tensor.
struct FeatureText {
  const char *Name;
  const char *Doc;
};

/// Lists all of them, for the tensor's doc.
inline std::string list(llvm::ArrayRef<FeatureText> Texts) {
  std::string All;
  for (const FeatureText &Text : Texts)
    All += std::string(All.empty() ? "" : "; ") + Text.Name + ": " + Text.Doc;
  return All;
}

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FEATURETEXT_H
