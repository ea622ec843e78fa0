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

  /// Column of a register that is among them.
  int64_t columnOf(llvm::MCRegister Register) const;

  /// Live ranges that hold a part of the register and overlap, heaviest first;
  /// no more of each part than LLVM itself looks at.
  llvm::SmallVector<const llvm::LiveInterval *, 8>
  interfering(size_t Column) const;

private:
  const llvm::LiveInterval &LI;
  llvm::LiveRegMatrix &Matrix;
  const llvm::TargetRegisterInfo &TRI;
  llvm::SmallVector<llvm::MCPhysReg, 16> Registers;
  size_t Hints = 0;
};

/// Each hint where it comes first: targets name some twice, such as AArch64
/// those of tuples of vectors.
llvm::SmallVector<llvm::MCPhysReg, 16>
withoutRepeats(llvm::ArrayRef<llvm::MCPhysReg> Hints);

/// As MIR writes it: "%7".
std::string nameOf(const llvm::LiveInterval &LI);

/// Spill weight of a live range; that of one which must not be spilled is the
/// largest float.
float finiteWeight(const llvm::LiveInterval &LI);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_CANDIDATECOLUMNS_H
