//===- IR2VecCounts.h - What IR2Vec's embeddings are made of ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_IR2VECCOUNTS_H
#define MLCOMPILER_GYM_SERVICE_IR2VECCOUNTS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Analysis/IR2Vec.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace mlcompiler {

/// The seed embeddings of all entities, weighted, in ir2vec::Vocabulary's
/// order.
class Seeds {
public:
  llvm::Error load(size_t Dimension);
  bool isLoaded() const { return !Elements.empty(); }
  void add(unsigned Entity, double Times,
           llvm::MutableArrayRef<double> To) const;

private:
  std::vector<double> Elements;
};

/// How often entities enter a vector. They are counted by opcode, type, operand
/// and predicate, because looking up the entity for each instruction would take
/// longer.
template <typename Number> class Counts {
public:
  /// Counts everything except the operands.
  void add(const llvm::Instruction &I, Number Times) {
    Opcodes[I.getOpcode()] += Times;
    Types[I.getType()->getTypeID()] += Times;
    if (const auto *Compare = llvm::dyn_cast<llvm::CmpInst>(&I))
      Predicates[Compare->getPredicate()] += Times;
  }

  void addOperand(const llvm::Value &Operand, Number Times) {
    Operands[static_cast<unsigned>(kind(Operand))] += Times;
  }

  void multiply(const Seeds &By, llvm::MutableArrayRef<double> To) const;

private:
  using Vocab = llvm::ir2vec::Vocabulary;

  /// Vocabulary::getOperandKind, inline.
  static Vocab::OperandKind kind(const llvm::Value &Operand) {
    if (llvm::isa<llvm::Function>(Operand))
      return Vocab::OperandKind::FunctionID;
    if (Operand.getType()->isPointerTy())
      return Vocab::OperandKind::PointerID;
    if (llvm::isa<llvm::Constant>(Operand))
      return Vocab::OperandKind::ConstantID;
    return Vocab::OperandKind::VariableID;
  }

  Number Opcodes[Vocab::MaxOpcodes + 1] = {};
  Number Types[Vocab::MaxTypeIDs] = {};
  Number Operands[Vocab::MaxOperandKinds] = {};
  Number Predicates[llvm::CmpInst::LAST_ICMP_PREDICATE + 1] = {};
};

/// Counts what IR2Vec's symbolic embedding of one instruction is made of.
void countInstruction(const llvm::Instruction &I, Counts<unsigned> &To);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_IR2VECCOUNTS_H
