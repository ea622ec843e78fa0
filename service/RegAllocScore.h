//===- RegAllocScore.h - LLVM's score of a register allocation --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Declares a class that LLVM's archives define, but no installed header
/// declares (llvm/lib/CodeGen/RegAllocScore.h). The declaration is good for
/// LLVM 22 only. The tests compare its values with scores worked out by hand.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_REGALLOCSCORE_H
#define MLCOMPILER_GYM_SERVICE_REGALLOCSCORE_H

namespace llvm {

class MachineBlockFrequencyInfo;
class MachineFunction;

/// Counts a function's instructions by kind. Each counts as much as its block's
/// frequency, relative to the entry block.
class RegAllocScore final {
  double CopyCounts = 0.0;
  double LoadCounts = 0.0;
  double StoreCounts = 0.0;
  double CheapRematCounts = 0.0;
  double LoadStoreCounts = 0.0;
  double ExpensiveRematCounts = 0.0;

public:
  RegAllocScore() = default;
  // LLVM declares it like this, which decides how the value is returned.
  RegAllocScore(const RegAllocScore &) = default;

  /// The weighted sum; lower is better.
  double getScore() const;
};

RegAllocScore calculateRegAllocScore(const MachineFunction &MF,
                                     const MachineBlockFrequencyInfo &MBFI);

} // namespace llvm

#endif // MLCOMPILER_GYM_SERVICE_REGALLOCSCORE_H
