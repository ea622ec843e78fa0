//===- IR2VecCounts.cpp - What IR2Vec's embeddings are made of ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "IR2VecCounts.h"
#include "Vocabularies.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

Error Seeds::load(size_t Dimension) {
  using Vocab = ir2vec::Vocabulary;
  auto Loaded = mlcompiler::Vocabulary::load(
      ("ir2vec-" + Twine(Dimension) + "d").str(),
      {"Opcodes", "Types", "Arguments"}, Dimension);
  if (!Loaded)
    return Loaded.takeError();
  std::vector<double> Read(Vocab::getCanonicalSize() * Dimension);
  for (unsigned Entity = 0; Entity != Vocab::getCanonicalSize(); ++Entity) {
    const bool IsOpcode = Entity < Vocab::MaxOpcodes;
    const bool IsType =
        !IsOpcode && Entity < Vocab::MaxOpcodes + Vocab::MaxCanonicalTypeIDs;
    const double Weight = IsOpcode ? ir2vec::OpcWeight
                          : IsType ? ir2vec::TypeWeight
                                   : ir2vec::ArgWeight;
    ArrayRef<double> Vector = (*Loaded)->find(IsOpcode ? "Opcodes"
                                              : IsType ? "Types"
                                                       : "Arguments",
                                              Vocab::getStringKey(Entity));
    for (size_t I = 0; I != Vector.size(); ++I)
      Read[Entity * Dimension + I] = Weight * Vector[I];
  }
  Elements = std::move(Read);
  return Error::success();
}

void Seeds::add(unsigned Entity, double Times,
                MutableArrayRef<double> To) const {
  if (!Times)
    return;
  const double *From = Elements.data() + Entity * To.size();
  for (double &Element : To)
    Element += Times * *From++;
}

template <typename Number>
void Counts<Number>::multiply(const Seeds &By,
                              MutableArrayRef<double> To) const {
  for (unsigned I = 1; I != std::size(Opcodes); ++I)
    By.add(Vocab::getIndex(I), Opcodes[I], To);
  for (unsigned I = 0; I != std::size(Types); ++I)
    By.add(Vocab::getIndex(static_cast<Type::TypeID>(I)), Types[I], To);
  for (unsigned I = 0; I != std::size(Operands); ++I)
    By.add(Vocab::MaxOpcodes + Vocab::MaxCanonicalTypeIDs + I, Operands[I], To);
  for (unsigned I = 0; I != std::size(Predicates); ++I)
    if (Predicates[I])
      By.add(Vocab::getIndex(static_cast<CmpInst::Predicate>(I)), Predicates[I],
             To);
}

template void Counts<unsigned>::multiply(const Seeds &,
                                         MutableArrayRef<double>) const;
template void Counts<double>::multiply(const Seeds &,
                                       MutableArrayRef<double>) const;

void mlcompiler::countInstruction(const Instruction &I, Counts<unsigned> &To) {
  To.add(I, 1);
  for (const Use &Operand : I.operands())
    To.addOperand(*Operand, 1);
}
