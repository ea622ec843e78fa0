//===- LoopDistributionGraph.cpp - What of a loop needs what --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionGraph.h"
#include "LoopFlags.h"
#include "Recursion.h"
#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/Analysis/LoopIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/ScalarEvolutionExpander.h"

using namespace llvm;
using namespace mlcompiler;

/// Loops beyond these are left alone, since the work is quadratic in them.
static constexpr size_t MaxInstructions = 2000;
static constexpr size_t MaxAccesses = 200;
/// If a loop would need more checks at run time, the pairs to check count as
/// conflicts instead.
static constexpr size_t MaxChecks = 32;
/// Loops of more iterations get no arrays for values that cross loops.
static constexpr unsigned MaxArrayElements = 2048;

std::unique_ptr<LoopGraph> LoopGraph::build(Loop &L, const Analyses &A,
                                            uint64_t ArrayBytes,
                                            std::string &Reason) {
  Reason.clear();
  if (!L.isInnermost())
    Reason = "not an innermost loop";
  else if (!L.isLoopSimplifyForm())
    Reason = "not in simplified form";
  else if (!L.getExitingBlock() || !L.getExitBlock())
    Reason = "more than one exit";
  else if (!L.isRotatedForm() || L.getExitingBlock() != L.getLoopLatch())
    Reason = "the exit is not at the end of the body";
  else if (!L.isLCSSAForm(A.DT) || !L.isSafeToClone())
    Reason = "cannot be copied";
  else if (!loopFlag(L, DistributeFlag).value_or(true))
    Reason = "distribution is turned off in the source";
  if (!Reason.empty())
    return nullptr;
  std::unique_ptr<LoopGraph> G(new LoopGraph(L, A, ArrayBytes));
  Reason = G->collectBody();
  if (!Reason.empty())
    return nullptr;
  G->findControlDependences();
  G->findMemoryEdges();
  Reason = G->findControl();
  if (!Reason.empty())
    return nullptr;
  G->findNodes();
  G->findReloads();
  G->findArrays();
  return G;
}

/// Why a loop with \p I cannot be split; empty if it does not matter.
std::string LoopGraph::refuse(Instruction &I) {
  if (I.isTerminator())
    return isa<BranchInst, SwitchInst>(I)
               ? ""
               : std::string("a terminator: ") + I.getOpcodeName();
  if (I.getType()->isTokenTy())
    return "a token";
  if (isa<AssumeInst>(I))
    return "";
  if (isa<NoAliasScopeDeclInst>(I))
    return "a scope in which pointers do not alias";
  if (isa<LoadInst, StoreInst>(I)) {
    const bool Simple = isa<LoadInst>(I) ? cast<LoadInst>(I).isSimple()
                                         : cast<StoreInst>(I).isSimple();
    return Simple ? "" : "a volatile or atomic access";
  }
  if (auto *Call = dyn_cast<CallBase>(&I)) {
    if (!Call->doesNotAccessMemory() || !Call->willReturn() ||
        !Call->doesNotThrow() || Call->isConvergent() ||
        Call->cannotDuplicate() || Call->hasOperandBundles()) {
      std::string Name = "something unknown";
      if (const Function *Callee = Call->getCalledFunction())
        Name = Callee->getName().str();
      return "a call with effects: " + Name;
    }
    return "";
  }
  if (I.mayReadOrWriteMemory() || I.mayThrow() || isa<AllocaInst>(I))
    return std::string("an effect: ") + I.getOpcodeName();
  return "";
}

std::string LoopGraph::collectBody() {
  LoopBlocksRPO RPO(&L);
  RPO.perform(&A.LI);
  if (containsIrreducibleCFG<BasicBlock *>(RPO, A.LI))
    return "irreducible control flow";
  size_t Accesses = 0;
  for (BasicBlock *B : RPO) {
    if (B->hasAddressTaken() || B->isEHPad())
      return "a block that is entered from elsewhere";
    for (Instruction &I : *B) {
      if (std::string Reason = refuse(I); !Reason.empty())
        return Reason;
      Index[&I] = Body.size();
      Body.push_back(&I);
      Accesses += isa<LoadInst, StoreInst>(I);
    }
  }
  if (Body.size() > MaxInstructions || Accesses > MaxAccesses)
    return "too large";
  return bodyEndsInLatch() ? "" : "a path that does not reach the end";
}

bool LoopGraph::bodyEndsInLatch() const {
  return all_of(L.blocks(), [&](BasicBlock *B) {
    if (B == L.getLoopLatch())
      return true;
    const auto *Node = A.PDT.getNode(B);
    return Node && Node->getIDom() && L.contains(Node->getIDom()->getBlock());
  });
}

bool LoopGraph::contains(const Value *V) const { return Index.contains(V); }

BasicBlock *LoopGraph::postDominator(BasicBlock *B) const {
  return A.PDT.getNode(B)->getIDom()->getBlock();
}

/// Works from the post-dominator tree, as Ferrante et al. do. The branch at the
/// end of the body controls all of it, and is left out.
void LoopGraph::findControlDependences() {
  for (BasicBlock *B : L.blocks()) {
    Instruction *T = B->getTerminator();
    if (B == L.getLoopLatch() || T->getNumSuccessors() < 2)
      continue;
    BasicBlock *Join = postDominator(B);
    SmallPtrSet<BasicBlock *, 8> Seen;
    for (BasicBlock *S : successors(B))
      for (BasicBlock *At = S; At != Join && Seen.insert(At).second;
           At = postDominator(At))
        ControlledBy[At].push_back(Index.at(T));
  }
}

void LoopGraph::forEachOperand(const Instruction *I,
                               function_ref<void(unsigned)> Visit) const {
  for (const Value *Operand : I->operands())
    if (auto It = Index.find(Operand); It != Index.end())
      Visit(It->second);
}

void LoopGraph::forEachNeed(unsigned I, bool ControlOnly,
                            function_ref<void(unsigned)> Visit) const {
  const Instruction *Inst = Body[I];
  if (!ControlOnly)
    forEachOperand(Inst, Visit);
  auto Controls = [&](const BasicBlock *B) {
    if (auto It = ControlledBy.find(B); It != ControlledBy.end())
      for (unsigned T : It->second)
        Visit(T);
  };
  Controls(Inst->getParent());
  const auto *Phi = dyn_cast<PHINode>(Inst);
  if (!Phi || ControlOnly || Phi->getParent() == L.getHeader())
    return;
  // The value of a phi depends on the way by which control reaches it.
  for (const BasicBlock *From : Phi->blocks()) {
    Controls(From);
    if (From->getTerminator()->getNumSuccessors() > 1)
      Visit(Index.at(From->getTerminator()));
  }
}

void LoopGraph::findMemoryEdges() {
  std::vector<unsigned> Accesses;
  for (unsigned I = 0; I != Body.size(); ++I)
    if (isa<LoadInst, StoreInst>(Body[I]))
      Accesses.push_back(I);
  Edges.resize(Body.size());
  for (unsigned I = 0; I != Body.size(); ++I)
    forEachNeed(I, /*ControlOnly=*/false,
                [&](unsigned From) { Edges[From].push_back(I); });
  std::vector<MemoryEdge> Unknown;
  for (auto It = Accesses.begin(); It != Accesses.end(); ++It)
    for (unsigned Second : make_range(It, Accesses.end()))
      if (Conflict How = Tester.test(*Body[*It], *Body[Second]))
        (How.Checkable ? Unknown : Memory).push_back({*It, Second, How});
  takeAsIndependent(std::move(Unknown));
  for (const MemoryEdge &E : Memory) {
    if (E.How.Forward)
      Edges[E.First].push_back(E.Second);
    if (E.How.Backward)
      Edges[E.Second].push_back(E.First);
  }
}

void LoopGraph::takeAsIndependent(std::vector<MemoryEdge> Pairs) {
  SmallSet<std::pair<const SCEV *, const SCEV *>, 16> Checks;
  SCEVExpander Expander(A.SE, "check");
  const Instruction *At = L.getLoopPreheader()->getTerminator();
  for (const MemoryEdge &E : Pairs) {
    const AccessRange First = Tester.range(*Body[E.First]);
    const AccessRange Second = Tester.range(*Body[E.Second]);
    Checks.insert({First.Low, Second.Low});
    const bool Expands =
        all_of(ArrayRef{First.Low, First.High, Second.Low, Second.High},
               [&](const SCEV *S) { return Expander.isSafeToExpandAt(S, At); });
    if (!Expands || Checks.size() > MaxChecks) {
      append_range(Memory, Pairs);
      return;
    }
  }
  Checkable = std::move(Pairs);
}

/// Finds what the branch at the end of the body needs. This is in every loop,
/// and so must not depend on what the loops store.
std::string LoopGraph::findControl() {
  Control.resize(Body.size());
  SmallVector<unsigned> Open{Index.at(L.getLoopLatch()->getTerminator())};
  while (!Open.empty()) {
    unsigned I = Open.pop_back_val();
    if (Control.test(I))
      continue;
    Control.set(I);
    if (isa<FreezeInst>(Body[I]))
      return "the exit depends on a value that may differ when frozen again";
    forEachNeed(I, /*ControlOnly=*/false,
                [&](unsigned Need) { Open.push_back(Need); });
  }
  for (const MemoryEdge &E : concat<const MemoryEdge>(Memory, Checkable))
    if (Control.test(E.First) || Control.test(E.Second))
      return "the exit depends on memory that the loop writes";
  return "";
}

/// Finds whether values may be put into arrays: their length must be known, and
/// the stack must have room for them.
void LoopGraph::findArrays() {
  const bool Scalable = any_of(Body, [](const Instruction *I) {
    return isa<LoadInst>(I) && I->getType()->isScalableTy();
  });
  const unsigned Most = A.SE.getSmallConstantMaxTripCount(&L);
  // mayRecurse() comes last, because it looks at all functions that this one
  // calls.
  if (Nodes.size() > 1 && Most <= MaxArrayElements && !Scalable &&
      !mayRecurse(*L.getHeader()->getParent(), A.TLI))
    ArrayElements = Most;
}

BitVector LoopGraph::neededBy(ArrayRef<unsigned> Roots) const {
  BitVector Needed(Body.size());
  SmallVector<unsigned> Open(Roots.begin(), Roots.end());
  while (!Open.empty()) {
    const unsigned I = Open.pop_back_val();
    if (Needed.test(I))
      continue;
    Needed.set(I);
    forEachNeed(I, /*ControlOnly=*/false,
                [&](unsigned Need) { Open.push_back(Need); });
  }
  return Needed;
}

BitVector LoopGraph::reach(unsigned From) const {
  BitVector Reached(Body.size());
  SmallVector<unsigned> Open{From};
  while (!Open.empty())
    for (unsigned To : Edges[Open.pop_back_val()])
      if (!Reached.test(To)) {
        Reached.set(To);
        Open.push_back(To);
      }
  return Reached;
}
