//===- RegAllocScore.h - LLVM's score of a register allocation --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Declares what LLVM's archives define and none of its installed headers
/// declares (llvm/lib/CodeGen/RegAllocScore.h). It holds for LLVM 22 only; the
/// tests compare its values with scores worked out by hand.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_REGALLOCSCORE_H
#define MLCOMPILER_GYM_SERVICE_REGALLOCSCORE_H

namespace llvm {

class MachineBlockFrequencyInfo;
class MachineFunction;

/// Sums over a function's instructions of block frequencies relative to the
/// entry block's, by kind of instruction.
class RegAllocScore final {
  double CopyCounts = 0.0;
  double LoadCounts = 0.0;
  double StoreCounts = 0.0;
  double CheapRematCounts = 0.0;
  double LoadStoreCounts = 0.0;
  double ExpensiveRematCounts = 0.0;

public:
  RegAllocScore() = default;
  // As LLVM declares it: it decides how the value is returned.
  RegAllocScore(const RegAllocScore &) = default;

  /// The weighted sum; lower is better.
  double getScore() const;
};

RegAllocScore calculateRegAllocScore(const MachineFunction &MF,
                                     const MachineBlockFrequencyInfo &MBFI);

} // namespace llvm

#endif // MLCOMPILER_GYM_SERVICE_REGALLOCSCORE_H
