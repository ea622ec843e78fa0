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

/// The name of a loop's property; empty if it is malformed.
static StringRef nameOf(const MDOperand &Property) {
  const auto *Node = dyn_cast_or_null<MDNode>(Property.get());
  if (!Node || Node->getNumOperands() == 0)
    return "";
  const auto *Text = dyn_cast_or_null<MDString>(Node->getOperand(0).get());
  return Text ? Text->getString() : "";
}

/// The property of a loop if it is called \p Name, otherwise null.
static const MDNode *named(const MDOperand &Property, StringRef Name) {
  return nameOf(Property) == Name ? cast<MDNode>(Property.get()) : nullptr;
}

/// Makes \p Properties the loop's metadata. The first is a place for the
/// metadata itself.
static void setProperties(Loop &L, ArrayRef<Metadata *> Properties) {
  MDNode *New = MDNode::getDistinct(L.getHeader()->getContext(), Properties);
  New->replaceOperandWith(0, New);
  L.setLoopID(New);
}

/// The value of a flag; nullopt if it is malformed.
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
  setProperties(L, Kept);
  return true;
}

bool mlcompiler::hasProperty(const Loop &L, StringRef Prefix) {
  const MDNode *ID = L.getLoopID();
  return ID && any_of(drop_begin(ID->operands()), [&](const MDOperand &Each) {
           return nameOf(Each).starts_with(Prefix);
         });
}

void mlcompiler::addProperty(Loop &L, StringRef Name, unsigned Value) {
  LLVMContext &Context = L.getHeader()->getContext();
  SmallVector<Metadata *> All{nullptr};
  if (const MDNode *ID = L.getLoopID())
    for (const MDOperand &Property : drop_begin(ID->operands()))
      All.push_back(Property);
  auto *Number = ConstantInt::get(Type::getInt32Ty(Context), Value);
  All.push_back(MDNode::get(Context, {MDString::get(Context, Name),
                                      ConstantAsMetadata::get(Number)}));
  setProperties(L, All);
}
