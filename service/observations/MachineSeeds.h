//===- MachineSeeds.h - MIR2Vec embeddings of instructions ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBSERVATIONS_MACHINESEEDS_H
#define MLCOMPILER_GYM_SERVICE_OBSERVATIONS_MACHINESEEDS_H

#include "Vocabularies.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llvm {
class MachineInstr;
class MachineOperand;
class MachineRegisterInfo;
class TargetInstrInfo;
class Triple;
} // namespace llvm

namespace mlcompiler {

/// The weighted seed embeddings of a target's entities, by LLVM's numbers for
/// them.
///
/// Computes what LLVM's mir2vec::MIREmbedder computes, except for rounding. But
/// LLVM searches its vocabulary for the name of each opcode, and crashes at
/// registers without a class, such as $mxcsr.
class MachineSeeds {
public:
  static constexpr size_t Dimension = 100;

  /// Does nothing if it is loaded. Fails if there is no vocabulary for the
  /// target.
  llvm::Error load(const llvm::Triple &TheTriple);

  /// Adds the vector of an instruction to \p To; that of a debug instruction is
  /// nothing.
  void add(const llvm::MachineInstr &MI, llvm::MutableArrayRef<double> To);

private:
  /// An embedding; empty if the entity has none.
  using Vector = std::vector<double>;
  /// Embeddings by number. Entities that have not come up yet are missing.
  using Vectors = llvm::DenseMap<unsigned, Vector>;

  const Vector &find(Vectors &Known, unsigned Number, llvm::StringRef Section,
                     float Weight, llvm::function_ref<std::string()> Entity);
  const Vector &ofOpcode(const llvm::MachineInstr &MI,
                         const llvm::TargetInstrInfo &TII);
  const Vector &ofOperand(const llvm::MachineOperand &MO,
                          const llvm::MachineRegisterInfo &MRI);

  const Vocabulary *Loaded = nullptr;
  Vectors Opcodes;
  Vectors CommonOperands;
  Vectors PhysicalRegisters;
  /// The embeddings of virtual registers, by class.
  Vectors VirtualRegisters;
  const Vector None;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBSERVATIONS_MACHINESEEDS_H
