//===- CanonicalIR.cpp - IR as bytes that say nothing else ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CanonicalIR.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Metadata.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/LEB128.h"

using namespace llvm;
using namespace mlcompiler;

CanonicalIR::CanonicalIR(const Module &M) { M.getMDKindNames(MetadataKinds); }

void CanonicalIR::clear() {
  Bytes.clear();
  Whole = true;
  Named.clear();
  Types.clear();
  Constants.clear();
  Nodes.clear();
  Locals.clear();
  ConstantUses.clear();
}

void CanonicalIR::put(uint64_t Number) {
  uint8_t Encoded[16];
  const unsigned Size = encodeULEB128(Number, Encoded);
  Bytes.append(Encoded, Encoded + Size);
}

void CanonicalIR::put(StringRef Text) {
  put(Text.size());
  Bytes += Text;
}

void CanonicalIR::number(const APInt &Number) {
  put(Number.getBitWidth());
  for (const uint64_t Word :
       ArrayRef(Number.getRawData(), Number.getNumWords()))
    put(Word);
}

//===----------------------------------------------------------------------===//
// Types, constants, metadata, attributes
//===----------------------------------------------------------------------===//

void CanonicalIR::type(Type *T) {
  const auto [Known, New] = Types.try_emplace(T, Types.size());
  put(Known->second);
  if (!New)
    return;
  put(T->getTypeID());
  switch (T->getTypeID()) {
  case Type::IntegerTyID:
    put(T->getIntegerBitWidth());
    break;
  case Type::PointerTyID:
    put(T->getPointerAddressSpace());
    break;
  case Type::StructTyID: {
    auto *Struct = cast<StructType>(T);
    put(Struct->isPacked() | Struct->isOpaque() << 1);
    break;
  }
  case Type::ArrayTyID:
    put(T->getArrayNumElements());
    break;
  case Type::FixedVectorTyID:
  case Type::ScalableVectorTyID:
    put(cast<VectorType>(T)->getElementCount().getKnownMinValue());
    break;
  case Type::FunctionTyID:
    put(T->isFunctionVarArg());
    break;
  case Type::TargetExtTyID:
    Whole = false;
    break;
  default:
    break;
  }
  put(T->getNumContainedTypes());
  for (Type *Contained : T->subtypes())
    type(Contained);
}

void CanonicalIR::value(const Value *V) {
  if (auto Local = Locals.find(V); Local != Locals.end()) {
    put(0u);
    put(Local->second);
  } else if (auto *C = dyn_cast<Constant>(V)) {
    put(1u);
    constant(C);
  } else if (auto *MD = dyn_cast<MetadataAsValue>(V)) {
    put(2u);
    metadata(MD->getMetadata());
  } else {
    // This is inline assembly, for the most part.
    Whole = false;
  }
}

void CanonicalIR::constant(const Constant *C) {
  if (auto *GV = dyn_cast<GlobalValue>(C)) {
    put(0u);
    put(GV->getName());
    Named.insert(GV);
    return;
  }
  const auto [Known, New] = Constants.try_emplace(C, Constants.size());
  put(1 + Known->second);
  if (New)
    contents(*C);
}

void CanonicalIR::contents(const Constant &C) {
  put(C.getValueID());
  type(C.getType());
  if (auto *Int = dyn_cast<ConstantInt>(&C)) {
    for (const uint64_t Word :
         ArrayRef(Int->getValue().getRawData(), Int->getValue().getNumWords()))
      put(Word);
    return;
  }
  if (auto *FP = dyn_cast<ConstantFP>(&C)) {
    number(FP->getValueAPF().bitcastToAPInt());
    return;
  }
  if (auto *Data = dyn_cast<ConstantDataSequential>(&C)) {
    put(Data->getRawDataValues());
    return;
  }
  switch (C.getValueID()) {
  case Value::UndefValueVal:
  case Value::PoisonValueVal:
  case Value::ConstantAggregateZeroVal:
  case Value::ConstantPointerNullVal:
  case Value::ConstantTokenNoneVal:
    return;
  case Value::ConstantArrayVal:
  case Value::ConstantStructVal:
  case Value::ConstantVectorVal:
    break;
  case Value::ConstantExprVal: {
    auto &Expression = cast<ConstantExpr>(C);
    put(Expression.getOpcode());
    put(Expression.getRawSubclassOptionalData());
    if (auto *GEP = dyn_cast<GEPOperator>(&Expression)) {
      type(GEP->getSourceElementType());
      const std::optional<ConstantRange> InRange = GEP->getInRange();
      put(InRange.has_value());
      if (InRange) {
        number(InRange->getLower());
        number(InRange->getUpper());
      }
    }
    break;
  }
  default:
    Whole = false;
    return;
  }
  put(C.getNumOperands());
  for (const Use &Operand : C.operands())
    constant(cast<Constant>(Operand));
}

void CanonicalIR::metadata(const Metadata *MD) {
  if (!MD) {
    put(0u);
    return;
  }
  if (auto *Text = dyn_cast<MDString>(MD)) {
    put(1u);
    put(Text->getString());
    return;
  }
  if (auto *Wrapped = dyn_cast<ValueAsMetadata>(MD)) {
    put(2u);
    value(Wrapped->getValue());
    return;
  }
  auto *Node = dyn_cast<MDTuple>(MD);
  if (!Node) {
    // This is metadata of debuggers.
    Whole = false;
    return;
  }
  const auto [Known, New] = Nodes.try_emplace(Node, Nodes.size());
  put(3 + Known->second);
  if (!New)
    return;
  put(Node->isDistinct());
  put(Node->getNumOperands());
  for (const MDOperand &Operand : Node->operands())
    metadata(Operand.get());
}

void CanonicalIR::attachments(ArrayRef<std::pair<unsigned, MDNode *>> All) {
  put(All.size());
  for (const auto &[Kind, Node] : All) {
    put(MetadataKinds[Kind]);
    metadata(Node);
  }
}

void CanonicalIR::attributes(AttributeSet Set) {
  std::string &Text = AttributeTexts[Set];
  if (Text.empty() && Set.hasAttributes())
    Text = Set.getAsString();
  put(Text);
  // The text has only the names of types.
  for (const Attribute &Each : Set)
    if (Each.isTypeAttribute() && Each.getValueAsType())
      type(Each.getValueAsType());
}

void CanonicalIR::attributes(const AttributeList &List) {
  put(List.getNumAttrSets());
  for (const unsigned Index : List.indexes())
    attributes(List.getAttributes(Index));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

void CanonicalIR::writeBody(const Function &F) {
  for (const Argument &A : F.args())
    Locals[&A] = Locals.size();
  for (const BasicBlock &B : F) {
    Locals[&B] = Locals.size();
    // Computed jumps go there, and other functions may have the address.
    Whole &= !B.hasAddressTaken();
  }
  for (const BasicBlock &B : F)
    for (const Instruction &I : B)
      Locals[&I] = Locals.size();
  type(F.getFunctionType());
  // What a function refers to outside of its instructions.
  put(F.getNumOperands());
  for (const Use &Operand : F.operands())
    value(Operand);
  for (const BasicBlock &B : F) {
    put(B.size());
    for (const Instruction &I : B)
      instruction(I);
  }
  for (const Argument &A : F.args())
    uses(A);
  for (const BasicBlock &B : F) {
    uses(B);
    for (const Instruction &I : B)
      uses(I);
  }
  usesWithin(F);
}

void CanonicalIR::instruction(const Instruction &I) {
  put(I.getOpcode());
  put(I.getRawSubclassOptionalData());
  type(I.getType());
  put(I.getNumOperands());
  for (const Use &Operand : I.operands()) {
    value(Operand);
    if (auto *C = dyn_cast<Constant>(Operand); C && C->hasUseList())
      ++ConstantUses[C];
  }
  special(I);
  // Records of a debugger are no instructions, and are not written.
  Whole &= !I.hasDbgRecords();
  if (I.hasMetadata()) {
    SmallVector<std::pair<unsigned, MDNode *>> All;
    I.getAllMetadata(All);
    attachments(All);
  } else {
    put(0u);
  }
}

/// Writes what some kinds of instructions have in addition to operands.
void CanonicalIR::special(const Instruction &I) {
  auto Scope = [&](SyncScope::ID ID) {
    // Other scopes have numbers that depend on the context.
    Whole &= ID == SyncScope::System || ID == SyncScope::SingleThread;
    put(ID);
  };
  if (auto *Call = dyn_cast<CallBase>(&I)) {
    call(*Call);
  } else if (auto *Alloca = dyn_cast<AllocaInst>(&I)) {
    type(Alloca->getAllocatedType());
    put(Alloca->getAlign().value());
    put(Alloca->isUsedWithInAlloca() | Alloca->isSwiftError() << 1);
  } else if (auto *Load = dyn_cast<LoadInst>(&I)) {
    put(Load->getAlign().value());
    put(Load->isVolatile());
    put(static_cast<unsigned>(Load->getOrdering()));
    Scope(Load->getSyncScopeID());
  } else if (auto *Store = dyn_cast<StoreInst>(&I)) {
    put(Store->getAlign().value());
    put(Store->isVolatile());
    put(static_cast<unsigned>(Store->getOrdering()));
    Scope(Store->getSyncScopeID());
  } else if (auto *GEP = dyn_cast<GetElementPtrInst>(&I)) {
    type(GEP->getSourceElementType());
  } else if (auto *Fence = dyn_cast<FenceInst>(&I)) {
    put(static_cast<unsigned>(Fence->getOrdering()));
    Scope(Fence->getSyncScopeID());
  } else if (auto *Exchange = dyn_cast<AtomicCmpXchgInst>(&I)) {
    put(Exchange->getAlign().value());
    put(Exchange->isVolatile() | Exchange->isWeak() << 1);
    put(static_cast<unsigned>(Exchange->getSuccessOrdering()));
    put(static_cast<unsigned>(Exchange->getFailureOrdering()));
    Scope(Exchange->getSyncScopeID());
  } else if (auto *Update = dyn_cast<AtomicRMWInst>(&I)) {
    put(Update->getOperation());
    put(Update->getAlign().value());
    put(Update->isVolatile());
    put(static_cast<unsigned>(Update->getOrdering()));
    Scope(Update->getSyncScopeID());
  } else if (auto *Compare = dyn_cast<CmpInst>(&I)) {
    put(Compare->getPredicate());
  } else if (auto *Phi = dyn_cast<PHINode>(&I)) {
    for (const BasicBlock *Incoming : Phi->blocks())
      value(Incoming);
  } else if (auto *Extract = dyn_cast<ExtractValueInst>(&I)) {
    for (const unsigned Index : Extract->indices())
      put(Index);
  } else if (auto *Insert = dyn_cast<InsertValueInst>(&I)) {
    for (const unsigned Index : Insert->indices())
      put(Index);
  } else if (auto *Shuffle = dyn_cast<ShuffleVectorInst>(&I)) {
    for (const int Element : Shuffle->getShuffleMask())
      put(static_cast<unsigned>(Element));
  } else if (auto *Pad = dyn_cast<LandingPadInst>(&I)) {
    put(Pad->isCleanup());
  } else {
    Whole &= I.isUnaryOp() || I.isBinaryOp() || I.isCast() ||
             isa<ReturnInst, BranchInst, SwitchInst, ResumeInst,
                 UnreachableInst, SelectInst, VAArgInst, ExtractElementInst,
                 InsertElementInst, FreezeInst>(I);
  }
}

void CanonicalIR::call(const CallBase &Call) {
  Whole &= isa<CallInst, InvokeInst>(Call);
  type(Call.getFunctionType());
  put(Call.getCallingConv());
  if (auto *Plain = dyn_cast<CallInst>(&Call))
    put(Plain->getTailCallKind());
  attributes(Call.getAttributes());
  put(Call.getNumOperandBundles());
  for (unsigned I = 0; I != Call.getNumOperandBundles(); ++I) {
    const OperandBundleUse Bundle = Call.getOperandBundleAt(I);
    put(Bundle.getTagName());
    put(Bundle.Inputs.size());
  }
}

/// Writes the order in which a function's own value is used. The code generator
/// sometimes depends on it.
void CanonicalIR::uses(const Value &V) {
  if (!V.hasNUsesOrMore(2))
    return;
  for (const Use &U : V.uses()) {
    const auto User = Locals.find(U.getUser());
    Whole &= User != Locals.end();
    if (User != Locals.end())
      put(User->second);
    put(U.getOperandNo());
  }
}

/// The same for the uses of globals and constants in this function.
void CanonicalIR::usesWithin(const Function &F) {
  for (auto [C, Left] : ConstantUses) {
    if (Left < 2)
      continue;
    for (const Use &U : C->uses()) {
      auto *User = dyn_cast<Instruction>(U.getUser());
      if (!User || User->getFunction() != &F)
        continue;
      put(Locals.lookup(User));
      put(U.getOperandNo());
      if (--Left == 0)
        break;
    }
  }
}

//===----------------------------------------------------------------------===//
// Globals
//===----------------------------------------------------------------------===//

void CanonicalIR::writeGlobal(const GlobalValue &GV) {
  put(GV.getName());
  put(GV.getValueID());
  put(GV.getLinkage());
  put(GV.getVisibility());
  put(GV.getDLLStorageClass());
  put(GV.getThreadLocalMode());
  put(static_cast<unsigned>(GV.getUnnamedAddr()));
  put(GV.isDSOLocal() | GV.isDeclaration() << 1 |
      GV.hasSanitizerMetadata() << 2);
  put(GV.getAddressSpace());
  put(GV.getPartition());
  type(GV.getValueType());
  auto *Object = dyn_cast<GlobalObject>(&GV);
  if (!Object) {
    // The global is an alias.
    constant(cast<GlobalAlias>(GV).getAliasee());
    return;
  }
  put(Object->getSection());
  const Comdat *Group = Object->getComdat();
  put(Group ? Group->getName() : "");
  put(Group ? 1 + Group->getSelectionKind() : 0);
  SmallVector<std::pair<unsigned, MDNode *>> All;
  Object->getAllMetadata(All);
  attachments(All);
  auto PutAlignment = [&](MaybeAlign A) { put(A ? A->value() : 0); };
  if (auto *F = dyn_cast<Function>(Object)) {
    PutAlignment(F->getAlign());
    put(F->getCallingConv());
    put(F->hasGC() ? StringRef(F->getGC()) : "");
    attributes(F->getAttributes());
    return;
  }
  auto *Variable = dyn_cast<GlobalVariable>(Object);
  if (!Variable) {
    Whole = false;
    return;
  }
  PutAlignment(Variable->getAlign());
  put(Variable->isConstant() | Variable->isExternallyInitialized() << 1);
  put(Variable->getCodeModel() ? 1 + *Variable->getCodeModel() : 0);
  attributes(Variable->getAttributes());
  if (!Variable->hasInitializer())
    return;
  put(Variable->getInitializer()->isNullValue());
  // The value of a variable may have changed by the time it is read.
  if (Variable->isConstant())
    constant(Variable->getInitializer());
}
