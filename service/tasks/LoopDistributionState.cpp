//===- LoopDistributionState.cpp - A loop that is being split -------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionState.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

/// Whether \p Body reads what a store of node \p N may write. If the load and
/// the store are in one node, no edge says so, but another node may also need
/// that load.
static bool readsWhatIsStored(const LoopGraph &G, const BitVector &Body,
                              unsigned N) {
  return any_of(G.nodes()[N].Roots, [&](unsigned Root) {
    const Value *To = getPointerOperand(G.body()[Root]);
    return To && any_of(Body.set_bits(), [&](unsigned I) {
             const auto *Load = dyn_cast<LoadInst>(G.body()[I]);
             return Load && getUnderlyingObject(Load->getPointerOperand()) ==
                                getUnderlyingObject(To);
           });
  });
}

/// Whether one of two nodes reads or writes what the other writes, or uses what
/// the other computes. Neither may then overtake the other.
static bool meet(const LoopGraph &G, unsigned A, const BitVector &OfA,
                 unsigned B, const BitVector &OfB) {
  auto Holds = [](const BitVector &Body, ArrayRef<unsigned> Roots) {
    return any_of(Roots, [&](unsigned Root) { return Body.test(Root); });
  };
  if (Holds(OfA, G.nodes()[B].Roots) || Holds(OfB, G.nodes()[A].Roots) ||
      readsWhatIsStored(G, OfA, B) || readsWhatIsStored(G, OfB, A))
    return true;
  auto Between = [&](const MemoryEdge &E) {
    return (OfA.test(E.First) && OfB.test(E.Second)) ||
           (OfB.test(E.First) && OfA.test(E.Second));
  };
  return any_of(G.memoryEdges(), Between) ||
         any_of(G.checkablePairs(), Between);
}

void DistributionState::findEarlier() {
  std::vector<BitVector> Bodies;
  for (const LoopNode &N : G.nodes())
    Bodies.push_back(G.neededBy(N.Roots));
  for (unsigned N = 0; N != Groups.size(); ++N) {
    Earlier.emplace_back(Groups.size());
    for (unsigned Other = 0; Other != Groups.size(); ++Other)
      if (Other != N &&
          (G.mustPrecede(Other, N) ||
           (Other < N && meet(G, Other, Bodies[Other], N, Bodies[N]))))
        Earlier[N].set(Other);
  }
}

std::vector<unsigned> DistributionState::ready() {
  if (Earlier.empty())
    findEarlier();
  std::vector<unsigned> Ready;
  for (unsigned N = 0; N != Groups.size(); ++N)
    if (!Groups[N] && all_of(Earlier[N].set_bits(), [&](unsigned Other) {
          return Groups[Other].has_value();
        }))
      Ready.push_back(N);
  return Ready;
}

bool DistributionState::mayDistribute() const {
  return Count == 0 || mlcompiler::mayDistribute(G, Groups);
}
