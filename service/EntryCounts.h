//===- EntryCounts.h - How often functions are entered ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_ENTRYCOUNTS_H
#define MLCOMPILER_GYM_SERVICE_ENTRYCOUNTS_H

#include "llvm/ADT/ArrayRef.h"
#include <vector>

namespace mlcompiler {

/// Calls of one function from another.
struct CallEdge {
  unsigned Caller;
  unsigned Callee;
  /// Calls for each time that the caller is entered.
  double Frequency;
};

/// Returns how often each function is entered: as often as \p Roots says, and
/// in addition as often as other functions call it.
///
/// If a function calls itself, directly or through others, less than once for
/// each entry, the sum over all calls is finite. If it calls itself more often,
/// static frequencies would give an infinite sum. The calls within such a group
/// of functions are then scaled down until the sum is finite.
std::vector<double> entryCounts(llvm::ArrayRef<double> Roots,
                                llvm::ArrayRef<CallEdge> Calls);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_ENTRYCOUNTS_H
