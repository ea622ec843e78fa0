//===- FiniteFeatures.h - Features as a network takes them ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FINITEFEATURES_H
#define MLCOMPILER_GYM_SERVICE_FINITEFEATURES_H

#include <cmath>
#include <limits>

namespace mlcompiler {

/// Returns a finite number in the place of an infinity or NaN, which no network
/// takes. A live range that must not be spilled has an infinite weight.
/// Relative to another such live range, its weight is NaN.
inline float finiteFeature(float Value) {
  if (std::isfinite(Value))
    return Value;
  return std::isnan(Value) ? 1.0f : std::numeric_limits<float>::max();
}

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FINITEFEATURES_H
