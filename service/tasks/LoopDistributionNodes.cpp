//===- LoopDistributionNodes.cpp - What stays together in a loop ----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Finds the nodes of a LoopGraph, their order, and the values that need not be
/// computed again.
///
//===----------------------------------------------------------------------===//

#include "LoopDistributionGraph.h"
#include "llvm/Analysis/ValueTracking.h"

using namespace llvm;
using namespace mlcompiler;

uint64_t LoopGraph::elementBytes(unsigned Load) const {
  return A.SE.getDataLayout().getTypeAllocSize(Body[Load]->getType());
}

/// A value is computed again instead of loaded if it takes at most so many
/// instructions.
static constexpr unsigned CheapInstructions = 4;

void LoopGraph::findNodes() {
  std::vector<unsigned> Roots;
  BitVector Stores(Body.size());
  for (unsigned I = 0; I != Body.size(); ++I)
    if (isa<StoreInst>(Body[I]))
      Stores.set(I);
  // This does not contain what only has to come before a store, because that is
  // not in the store's loop.
  const BitVector NeededByStores =
      neededBy(SmallVector<unsigned>(Stores.set_bits()));
  for (unsigned I = 0; I != Body.size(); ++I) {
    // A value that a store also needs is computed there anyway, for later uses
    // as well.
    const bool UsedLater =
        !Control.test(I) && any_of(Body[I]->users(), [&](const User *U) {
          return !L.contains(cast<Instruction>(U));
        });
    if (Stores.test(I) || (UsedLater && !NeededByStores.test(I)))
      Roots.push_back(I);
  }
  // Freezing twice may give two values, so everything that uses a frozen value
  // stays together.
  for (unsigned I = 0; I != Body.size(); ++I) {
    if (!isa<FreezeInst>(Body[I]))
      continue;
    BitVector Reached = reach(I);
    for (unsigned Root : Roots)
      if (Reached.test(Root))
        Edges[Root].push_back(I);
  }
  std::vector<BitVector> Reached;
  for (unsigned Root : Roots)
    Reached.push_back(reach(Root));
  std::vector<LoopNode> Found;
  std::vector<BitVector> NodeReached;
  BitVector Placed(Roots.size());
  for (unsigned I = 0; I != Roots.size(); ++I) {
    if (Placed.test(I))
      continue;
    LoopNode N;
    for (unsigned J = I; J != Roots.size(); ++J)
      if (I == J || (Reached[I].test(Roots[J]) && Reached[J].test(Roots[I]))) {
        Placed.set(J);
        N.Roots.push_back(Roots[J]);
      }
    Found.push_back(std::move(N));
    NodeReached.push_back(Reached[I]);
  }
  orderNodes(std::move(Found), NodeReached);
}

/// For each node, the nodes that need a value which it overwrites in memory.
/// These can come behind it only if they load the value from where another node
/// has stored it.
std::vector<BitVector>
LoopGraph::findOverwrites(ArrayRef<LoopNode> Found) const {
  std::vector<BitVector> Needs, Overwrites;
  for (const LoopNode &N : Found)
    Needs.push_back(neededBy(N.Roots));
  for (unsigned I = 0; I != Found.size(); ++I) {
    BitVector &Spoilt = Overwrites.emplace_back(Found.size());
    auto Spoil = [&](unsigned Store, unsigned Load) {
      if (!isa<StoreInst>(Body[Store]) || !is_contained(Found[I].Roots, Store))
        return;
      for (unsigned Other = 0; Other != Found.size(); ++Other)
        if (Other != I && Needs[Other].test(Load))
          Spoilt.set(Other);
    };
    for (const MemoryEdge &E : Memory) {
      if (E.How.Forward)
        Spoil(E.Second, E.First);
      if (E.How.Backward)
        Spoil(E.First, E.Second);
    }
  }
  return Overwrites;
}

void LoopGraph::orderNodes(std::vector<LoopNode> Found,
                           ArrayRef<BitVector> Reached) {
  std::vector<unsigned> Order;
  BitVector Placed(Found.size());
  auto Precedes = [&](unsigned From, unsigned To) {
    return From != To && Reached[From].test(Found[To].Roots.front());
  };
  auto IsReady = [&](unsigned N) {
    for (unsigned Other = 0; Other != Found.size(); ++Other)
      if (!Placed.test(Other) && Precedes(Other, N))
        return false;
    return true;
  };
  std::vector<BitVector> Overwrites = findOverwrites(Found);
  while (Order.size() != Found.size()) {
    std::optional<unsigned> Best;
    unsigned BestCount = 0;
    for (unsigned N = 0; N != Found.size(); ++N) {
      if (Placed.test(N) || !IsReady(N))
        continue;
      BitVector Spoilt = Overwrites[N];
      Spoilt.reset(Placed);
      if (Best && Spoilt.count() >= BestCount)
        continue;
      Best = N;
      BestCount = Spoilt.count();
    }
    Placed.set(*Best);
    Order.push_back(*Best);
  }
  for (unsigned From : Order) {
    NodeEdges.emplace_back(Found.size());
    for (auto [To, Old] : enumerate(Order))
      if (Precedes(From, Old))
        NodeEdges.back().set(To);
  }
  NodeOf.assign(Body.size(), -1);
  for (unsigned N : Order) {
    for (unsigned Root : Found[N].Roots)
      NodeOf[Root] = Nodes.size();
    Nodes.push_back(std::move(Found[N]));
  }
}

/// Whether the address \p V is available at \p Before, or can be computed
/// there; \p Moved gets the instructions to move.
bool LoopGraph::canMoveTo(const Value *V, const Instruction *Before,
                          BitVector &Moved) const {
  const auto *I = dyn_cast<Instruction>(V);
  if (!I || !contains(I) || A.DT.dominates(I, Before))
    return true;
  if (I == Before || isa<PHINode>(I) || I->mayReadOrWriteMemory() ||
      !isSafeToSpeculativelyExecute(I))
    return false;
  Moved.set(Index.at(I));
  return all_of(I->operands(), [&](const Value *Operand) {
    return canMoveTo(Operand, Before, Moved);
  });
}

/// Whether the value takes only a few instructions, which depend only on the
/// number of the iteration.
bool LoopGraph::isCheap(unsigned I) const {
  SmallVector<unsigned> Open{I};
  BitVector Seen(Body.size());
  unsigned Count = 0;
  while (!Open.empty()) {
    unsigned At = Open.pop_back_val();
    if (Seen.test(At) || Control.test(At))
      continue;
    Seen.set(At);
    if (isa<PHINode, LoadInst, CallBase>(Body[At]) ||
        ++Count > CheapInstructions)
      return false;
    forEachOperand(Body[At], [&](unsigned Need) { Open.push_back(Need); });
  }
  return true;
}

void LoopGraph::findReloads() {
  BitVector Overwritten(Body.size()), Moved(Body.size());
  for (const MemoryEdge &E : Memory) {
    if (!isa<StoreInst>(Body[E.First]) || !isa<StoreInst>(Body[E.Second]))
      continue;
    if (E.How.Forward || E.First == E.Second)
      Overwritten.set(E.First);
    if (E.How.Backward)
      Overwritten.set(E.Second);
  }
  for (unsigned S = 0; S != Body.size(); ++S) {
    auto *Store = dyn_cast<StoreInst>(Body[S]);
    if (!Store || Overwritten.test(S))
      continue;
    addReload(Store->getValueOperand(), {Store, std::nullopt, {}}, Moved);
    auto *Narrow = dyn_cast<TruncInst>(Store->getValueOperand());
    if (!Narrow)
      continue;
    Value *Wide = Narrow->getOperand(0);
    const DataLayout &Layout = A.SE.getDataLayout();
    const unsigned Cut = Wide->getType()->getScalarSizeInBits() -
                         Narrow->getType()->getScalarSizeInBits();
    if (computeKnownBits(Wide, Layout).countMinLeadingZeros() >= Cut)
      addReload(Wide, {Store, Instruction::ZExt, {}}, Moved);
    else if (ComputeNumSignBits(Wide, Layout) > Cut)
      addReload(Wide, {Store, Instruction::SExt, {}}, Moved);
  }
  // A value that an address is computed from must not be loaded back itself.
  for (unsigned I : Moved.set_bits())
    Reloads.erase(I);
}

void LoopGraph::addReload(Value *Of, Reload R, BitVector &Moved) {
  auto *V = dyn_cast<Instruction>(Of);
  if (!V || !contains(V) || isCheap(Index.at(V)) || Control.test(Index.at(V)))
    return;
  // Whenever the value is computed, it must also have been stored.
  if (V->getParent() != R.From->getParent() &&
      !A.PDT.dominates(R.From->getParent(), V->getParent()))
    return;
  const Instruction *At =
      isa<PHINode>(V) ? &*V->getParent()->getFirstInsertionPt() : V;
  BitVector ToMove(Body.size());
  if (!canMoveTo(R.From->getPointerOperand(), At, ToMove) ||
      ToMove.test(Index.at(V)))
    return;
  Moved |= ToMove;
  append_range(R.Moved, ToMove.set_bits());
  Reloads.try_emplace(Index.at(V), std::move(R));
}
