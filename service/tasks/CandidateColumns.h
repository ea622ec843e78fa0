//===- CandidateColumns.h - What may be evicted for a live range *- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_CANDIDATECOLUMNS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_CANDIDATECOLUMNS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/MC/MCRegister.h"
#include <string>

namespace llvm {
class LiveInterval;
class LiveRegMatrix;
class RegisterClassInfo;
class TargetRegisterInfo;
class VirtRegMap;
} // namespace llvm

namespace mlcompiler {

/// The physical registers that a live range could be given, in the order of the
/// columns of LLVM's eviction features: hints first, then the allocation order.
class CandidateColumns {
public:
  CandidateColumns(const llvm::LiveInterval &LI, llvm::VirtRegMap &VRM,
                   const llvm::RegisterClassInfo &Classes,
                   llvm::LiveRegMatrix &Matrix);

  llvm::ArrayRef<llvm::MCPhysReg> registers() const { return Registers; }
  bool isHint(size_t Column) const { return Column < Hints; }

  /// The column of \p Register, which must be one of them.
  int64_t columnOf(llvm::MCRegister Register) const;

  /// The live ranges that hold a part of the register and overlap, the heaviest
  /// first. It has no more of each part than LLVM itself looks at.
  llvm::SmallVector<const llvm::LiveInterval *, 8>
  interfering(size_t Column) const;

private:
  const llvm::LiveInterval &LI;
  llvm::LiveRegMatrix &Matrix;
  const llvm::TargetRegisterInfo &TRI;
  llvm::SmallVector<llvm::MCPhysReg, 16> Registers;
  size_t Hints = 0;
};

/// Keeps each hint only where it first comes. Targets name some twice; AArch64
/// does so for tuples of vectors.
llvm::SmallVector<llvm::MCPhysReg, 16>
withoutRepeats(llvm::ArrayRef<llvm::MCPhysReg> Hints);

/// The name of a live range as MIR writes it: "%7".
std::string nameOf(const llvm::LiveInterval &LI);

/// The spill weight of a live range; the largest float if it must not be
/// spilled.
float finiteWeight(const llvm::LiveInterval &LI);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_CANDIDATECOLUMNS_H
