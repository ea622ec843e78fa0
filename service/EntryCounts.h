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
  /// How often, for each time that the caller is entered.
  double Frequency;
};

/// How often each function is entered: as often as \p Roots says, and as often
/// as the functions that call it do so.
///
/// A function that calls itself, by others even, less than once each time is
/// entered as often as the sum of the calls says, which is finite. Where it
/// calls itself more often, static frequencies know no end of it, and the calls
/// within such a group of functions are scaled down until there is one.
std::vector<double> entryCounts(llvm::ArrayRef<double> Roots,
                                llvm::ArrayRef<CallEdge> Calls);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_ENTRYCOUNTS_H
