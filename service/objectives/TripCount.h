//===- TripCount.h - How often a loop may run -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBJECTIVES_TRIPCOUNT_H
#define MLCOMPILER_GYM_SERVICE_OBJECTIVES_TRIPCOUNT_H

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include <optional>

namespace mlcompiler {

/// The value that is assumed for every number that is not known before the
/// program runs.
constexpr int64_t NominalSize = 1024;

/// Iterations of \p L if every unknown number is NominalSize, and every loop
/// around it is half-way through. A vectorised loop has as many times fewer as
/// it does iterations at once. The scalar loop for the iterations that are left
/// over has none.
double nominalTripCount(const llvm::Loop &L, llvm::ScalarEvolution &SE);

/// Which way a function's branches go, given the nominal sizes.
class NominalSizes {
public:
  NominalSizes(const llvm::LoopInfo &LI, llvm::ScalarEvolution &SE);

  /// The result of a comparison, if it compares only constants and numbers that
  /// decide how often loops run.
  std::optional<bool> decide(llvm::Value &Condition);

private:
  bool isOfSizes(const llvm::SCEV *S) const;

  llvm::ScalarEvolution &SE;
  /// The unknown numbers in trip counts.
  llvm::SmallPtrSet<const llvm::SCEV *, 8> Sizes;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBJECTIVES_TRIPCOUNT_H
