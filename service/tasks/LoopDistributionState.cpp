//===- LoopDistributionState.cpp - A loop that is being split -------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionState.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

/// All that a loop with nothing but node \p N would hold.
static BitVector bodyOf(const LoopGraph &G, unsigned N) {
  BitVector Body(G.body().size());
  SmallVector<unsigned> Open(G.nodes()[N].Roots.begin(),
                             G.nodes()[N].Roots.end());
  while (!Open.empty()) {
    const unsigned I = Open.pop_back_val();
    if (Body.test(I))
      continue;
    Body.set(I);
    G.forEachNeed(I, /*ControlOnly=*/false,
                  [&](unsigned Needed) { Open.push_back(Needed); });
  }
  return Body;
}

/// Whether \p Body reads what a store of node \p N may write. Edges do not say
/// so of a load and a store that are one node's, but another node may need that
/// load as well.
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

/// Whether one of two nodes reads or writes what the other writes, or computes
/// with what the other is for: then neither may overtake the other.
static bool meet(const LoopGraph &G, unsigned A, unsigned B) {
  const BitVector OfA = bodyOf(G, A), OfB = bodyOf(G, B);
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

std::vector<unsigned> DistributionState::ready() const {
  std::vector<unsigned> Ready;
  for (unsigned N = 0; N != Groups.size(); ++N) {
    bool Waits = Groups[N].has_value();
    for (unsigned Before = 0; Before != Groups.size() && !Waits; ++Before)
      Waits = !Groups[Before] && Before != N &&
              (G.mustPrecede(Before, N) || (Before < N && meet(G, Before, N)));
    if (!Waits)
      Ready.push_back(N);
  }
  return Ready;
}

bool DistributionState::mayDistribute() const {
  return Count == 0 || mlcompiler::mayDistribute(G, Groups);
}
