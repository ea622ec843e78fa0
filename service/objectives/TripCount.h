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

/// What stands for every number that is not known before the program runs.
constexpr int64_t NominalSize = 1024;

/// Iterations of \p L if each number that is not known were NominalSize, and
/// each loop around it stood in the middle. A vectorised loop has as many fewer
/// as it does at once, and the scalar loop that does what is left over has
/// none.
double nominalTripCount(const llvm::Loop &L, llvm::ScalarEvolution &SE);

/// What the nominal sizes say of a function's branches.
class NominalSizes {
public:
  NominalSizes(const llvm::LoopInfo &LI, llvm::ScalarEvolution &SE);

  /// Which way a comparison goes that is between nothing but constants and
  /// numbers that decide how often loops run.
  std::optional<bool> decide(llvm::Value &Condition);

private:
  bool isOfSizes(const llvm::SCEV *S) const;

  llvm::ScalarEvolution &SE;
  /// Unknown numbers in trip counts.
  llvm::SmallPtrSet<const llvm::SCEV *, 8> Sizes;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBJECTIVES_TRIPCOUNT_H
