//===- LoopBody.cpp - What a loop does in an iteration --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopBody.h"
#include "llvm/Analysis/IVDescriptors.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

float &BodyMeter::of(StringRef Name) {
  for (auto [Feature, Number] : zip_equal(BodyFeatures, Numbers))
    if (Name == Feature.Name)
      return Number;
  llvm_unreachable("no such number of a loop's body");
}

bool BodyMeter::isRecurrence(PHINode &Phi) {
  if (Phi.getParent() != L.getHeader())
    return false;
  if (SE.isSCEVable(Phi.getType()) && isa<SCEVAddRecExpr>(SE.getSCEV(&Phi)))
    return false;
  RecurrenceDescriptor Found;
  return !RecurrenceDescriptor::isReductionPHI(&Phi, const_cast<Loop *>(&L),
                                               Found);
}

void BodyMeter::count(Instruction &I) {
  ++of("instructions");
  if (isa<LoadInst, StoreInst>(I))
    return countAccess(I, isa<LoadInst>(I));
  if (auto *Phi = dyn_cast<PHINode>(&I))
    of("recurrences") += isRecurrence(*Phi);
  if (I.isTerminator() && I.getParent() != L.getLoopLatch())
    of("branches") += I.getNumSuccessors() > 1;
  switch (I.getOpcode()) {
  case Instruction::FDiv:
  case Instruction::FRem:
  case Instruction::UDiv:
  case Instruction::SDiv:
  case Instruction::URem:
  case Instruction::SRem:
  case Instruction::Call:
    ++of("slow");
    break;
  default:
    of("floating_point") +=
        I.isBinaryOp() && I.getType()->getScalarType()->isFloatingPointTy();
  }
}

void BodyMeter::countAccess(Instruction &Access, bool IsLoad) {
  ++of(IsLoad ? "loads" : "stores");
  const float Bytes = SE.getDataLayout()
                          .getTypeStoreSize(getLoadStoreType(&Access))
                          .getKnownMinValue();
  of("bytes") += Bytes;
  const Value *Pointer = getLoadStorePointerOperand(&Access);
  Objects.insert(getUnderlyingObject(Pointer));
  of("arrays") = Objects.size();
  const SCEV *Address = SE.getSCEV(const_cast<Value *>(Pointer));
  if (SE.isLoopInvariant(Address, &L)) {
    ++of("invariant");
    return;
  }
  const auto *AR = dyn_cast<SCEVAddRecExpr>(Address);
  const auto *Step = AR && AR->getLoop() == &L
                         ? dyn_cast<SCEVConstant>(AR->getStepRecurrence(SE))
                         : nullptr;
  if (!Step) {
    ++of("irregular");
    StoresIrregularly |= !IsLoad;
  } else if (std::abs(Step->getAPInt().getSExtValue()) == Bytes) {
    ++of("unit_stride");
  } else {
    ++of("strided");
  }
}

void BodyMeter::countElementLoad(float Bytes) {
  ++of("loads");
  ++of("unit_stride");
  of("bytes") += Bytes;
}

std::vector<std::pair<BasicBlock *, std::string>>
mlcompiler::innermostLoops(Function &F, LoopInfo &LI) {
  std::vector<std::pair<BasicBlock *, std::string>> Found;
  for (Loop *L : LI.getLoopsInPreorder()) {
    if (!L->isInnermost())
      continue;
    std::string Name = (F.getName() + " loop " + Twine(Found.size())).str();
    if (DebugLoc Start = L->getStartLoc())
      Name += " at line " + std::to_string(Start.getLine());
    Found.push_back({L->getHeader(), std::move(Name)});
  }
  return Found;
}
