//===- LoopDistributionFeatures.cpp - What a group is like ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionFeatures.h"
#include "llvm/Analysis/IVDescriptors.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/DataLayout.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Conflicts that are further apart than this do not keep a loop from being
/// vectorised.
constexpr int64_t VectorIterations = 8;

struct Measured {
  GroupNumbers Numbers{};
  BitVector Needed;
  SmallPtrSet<const Value *, 8> Objects;
};

class GroupMeter {
public:
  GroupMeter(const LoopGraph &G, ScalarEvolution &SE) : G(G), SE(SE) {}

  Measured measure(const LoopGroup &Group) {
    Measured M;
    M.Needed = Group.Needed;
    for (unsigned I : Group.Needed.set_bits()) {
      if (auto It = Group.Reloads.find(I); It != Group.Reloads.end())
        countAccess(M, *It->second->From, /*IsLoad=*/true);
      else if (Group.Taken.contains(I))
        countTaken(M, I);
      else
        countInstruction(M, I);
    }
    countCarried(M);
    of(M, "reloads") = Group.Reloads.size() + Group.Taken.size();
    of(M, "vectorizes") =
        !of(M, "recurrences") && !Prevented && Group.Needed.any();
    return M;
  }

private:
  static float &of(Measured &M, StringRef Name) {
    for (size_t I = 0; I != GroupFeatureCount; ++I)
      if (Name == GroupFeatures[I].Name)
        return M.Numbers[I];
    llvm_unreachable("no such number of a group");
  }

  void countInstruction(Measured &M, unsigned I);
  void countAccess(Measured &M, Instruction &Access, bool IsLoad);
  void countTaken(Measured &M, unsigned Load);
  void countCarried(Measured &M);
  bool isRecurrence(PHINode &Phi);

  const LoopGraph &G;
  ScalarEvolution &SE;
  bool Prevented = false;
};

} // namespace

bool GroupMeter::isRecurrence(PHINode &Phi) {
  if (Phi.getParent() != G.loop().getHeader())
    return false;
  if (SE.isSCEVable(Phi.getType()) && isa<SCEVAddRecExpr>(SE.getSCEV(&Phi)))
    return false;
  RecurrenceDescriptor Found;
  return !RecurrenceDescriptor::isReductionPHI(&Phi, &G.loop(), Found);
}

void GroupMeter::countInstruction(Measured &M, unsigned I) {
  Instruction &Inst = *G.body()[I];
  ++of(M, "instructions");
  if (isa<LoadInst, StoreInst>(Inst))
    return countAccess(M, Inst, isa<LoadInst>(Inst));
  if (auto *Phi = dyn_cast<PHINode>(&Inst))
    of(M, "recurrences") += isRecurrence(*Phi);
  if (Inst.isTerminator() && Inst.getParent() != G.loop().getLoopLatch())
    of(M, "branches") += Inst.getNumSuccessors() > 1;
  switch (Inst.getOpcode()) {
  case Instruction::FDiv:
  case Instruction::FRem:
  case Instruction::UDiv:
  case Instruction::SDiv:
  case Instruction::URem:
  case Instruction::SRem:
  case Instruction::Call:
    ++of(M, "slow");
    break;
  default:
    of(M, "floating_point") +=
        Inst.isBinaryOp() &&
        Inst.getType()->getScalarType()->isFloatingPointTy();
  }
}

void GroupMeter::countAccess(Measured &M, Instruction &Access, bool IsLoad) {
  ++of(M, IsLoad ? "loads" : "stores");
  const float Bytes = SE.getDataLayout()
                          .getTypeStoreSize(getLoadStoreType(&Access))
                          .getKnownMinValue();
  of(M, "bytes") += Bytes;
  const Value *Pointer = getLoadStorePointerOperand(&Access);
  M.Objects.insert(getUnderlyingObject(Pointer));
  const SCEV *Address = SE.getSCEV(const_cast<Value *>(Pointer));
  if (SE.isLoopInvariant(Address, &G.loop())) {
    ++of(M, "invariant");
    return;
  }
  const auto *AR = dyn_cast<SCEVAddRecExpr>(Address);
  const auto *Step = AR && AR->getLoop() == &G.loop()
                         ? dyn_cast<SCEVConstant>(AR->getStepRecurrence(SE))
                         : nullptr;
  if (!Step) {
    ++of(M, "irregular");
    Prevented |= !IsLoad;
  } else if (std::abs(Step->getAPInt().getSExtValue()) == Bytes) {
    ++of(M, "unit_stride");
  } else {
    ++of(M, "strided");
  }
}

/// From an array of one element for each iteration.
void GroupMeter::countTaken(Measured &M, unsigned Load) {
  ++of(M, "loads");
  ++of(M, "unit_stride");
  of(M, "bytes") += G.elementBytes(Load);
}

void GroupMeter::countCarried(Measured &M) {
  for (const MemoryEdge &E : G.memoryEdges()) {
    if (!M.Needed.test(E.First) || !M.Needed.test(E.Second))
      continue;
    of(M, "carried") += E.How.Backward || E.How.Distance > 0;
    Prevented |= E.How.Backward && E.First != E.Second &&
                 std::abs(E.How.Distance) < VectorIterations;
  }
}

NodeFeatures mlcompiler::describeNode(const DistributionState &State,
                                      unsigned Node, ScalarEvolution &SE) {
  const LoopGraph &G = State.graph();
  // All that is decided, and of what is not the node alone: into a group that
  // does not count go those that nothing is asked about.
  auto MeasureGroup = [&](Partition P, unsigned Group) {
    const unsigned Rest = State.groupCount() + 1;
    for (std::optional<unsigned> &Each : P)
      if (!Each)
        Each = Rest;
    std::optional<LoopGroup> Built = planGroup(G, P, Group);
    if (!Built) {
      for (std::optional<unsigned> &Each : P)
        Each = *Each == Group ? 0 : 1;
      Built = planGroup(G, P, 0);
    }
    return GroupMeter(G, SE).measure(*Built);
  };
  NodeFeatures Features;
  Partition Alone = State.partition();
  Alone[Node] = State.groupCount();
  Measured Own = MeasureGroup(Alone, State.groupCount());
  Features.Node = Own.Numbers;
  Features.NodeBody = Own.Needed;
  DecisionNumbers &D = Features.Decision;
  D[0] = SE.getSmallConstantTripCount(&G.loop());
  D[1] = G.loop().getLoopDepth();
  D[2] = G.nodes().size();
  D[3] = G.nodes().size() - State.placed();
  D[4] = State.groupCount();
  D[5] = G.checkablePairs().size();
  if (!State.groupCount())
    return Features;
  const unsigned Current = State.groupCount() - 1;
  Measured Group = MeasureGroup(State.partition(), Current);
  Features.Group = Group.Numbers;
  Features.GroupBody = Group.Needed;
  Partition Together = State.partition();
  Together[Node] = Current;
  Features.Merged = MeasureGroup(Together, Current).Numbers;
  for (unsigned Other = 0; Other != G.nodes().size(); ++Other)
    if (State.partition()[Other] == Current && G.mustPrecede(Other, Node))
      D[6] = 1;
  for (const Value *Object : Own.Objects)
    D[7] += Group.Objects.contains(Object);
  for (unsigned I : Own.Needed.set_bits())
    D[8] += Group.Needed.test(I) && !G.isControl(I);
  return Features;
}
