//===- LoopFlags.cpp - Metadata of loops, however it is formed ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopFlags.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Metadata.h"

using namespace llvm;
using namespace mlcompiler;

/// The property of a loop if it is called \p Name; else null.
static const MDNode *named(const MDOperand &Property, StringRef Name) {
  const auto *Node = dyn_cast_or_null<MDNode>(Property.get());
  if (!Node || Node->getNumOperands() == 0)
    return nullptr;
  const auto *Text = dyn_cast_or_null<MDString>(Node->getOperand(0).get());
  return Text && Text->getString() == Name ? Node : nullptr;
}

/// Nothing if it is malformed.
static std::optional<bool> valueOf(const MDNode &Property) {
  if (Property.getNumOperands() == 1)
    return true;
  const auto *Value =
      dyn_cast_or_null<ConstantAsMetadata>(Property.getOperand(1).get());
  const auto *Number =
      Value ? dyn_cast<ConstantInt>(Value->getValue()) : nullptr;
  if (Property.getNumOperands() != 2 || !Number)
    return std::nullopt;
  return !Number->isZero();
}

std::optional<bool> mlcompiler::loopFlag(const Loop &L, StringRef Name) {
  if (const MDNode *ID = L.getLoopID())
    for (const MDOperand &Property : drop_begin(ID->operands()))
      if (const MDNode *Node = named(Property, Name))
        return valueOf(*Node);
  return std::nullopt;
}

bool mlcompiler::dropIfMalformed(Loop &L, StringRef Name) {
  const MDNode *ID = L.getLoopID();
  if (!ID)
    return false;
  SmallVector<Metadata *> Kept{nullptr};
  for (const MDOperand &Property : drop_begin(ID->operands())) {
    const MDNode *Node = named(Property, Name);
    if (!Node || valueOf(*Node))
      Kept.push_back(Property);
  }
  if (Kept.size() == ID->getNumOperands())
    return false;
  MDNode *New = MDNode::getDistinct(ID->getContext(), Kept);
  New->replaceOperandWith(0, New);
  L.setLoopID(New);
  return true;
}
