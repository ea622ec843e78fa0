//===- LoopDistributionPlan.cpp - Which loops a partition makes -----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionPlan.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Collects what one group needs, backwards from its nodes.
class GroupBuilder {
public:
  GroupBuilder(const LoopGraph &G, const Partition &P, unsigned Number)
      : G(G), P(P), Number(Number) {}

  /// False if it cannot be computed at its place among the groups.
  bool build(LoopGroup &Group);

private:
  bool isStoredBefore(const StoreInst *S) const {
    return *P[G.nodeOf(S)] < Number;
  }
  bool isOverwrittenBefore(unsigned Load) const;

  const LoopGraph &G;
  const Partition &P;
  const unsigned Number;
};

} // namespace

bool GroupBuilder::isOverwrittenBefore(unsigned Load) const {
  return any_of(G.memoryEdges(), [&](const MemoryEdge &E) {
    unsigned Other;
    if (E.First == Load && E.How.Forward)
      Other = E.Second;
    else if (E.Second == Load && E.How.Backward)
      Other = E.First;
    else
      return false;
    const auto *S = dyn_cast<StoreInst>(G.body()[Other]);
    return S && isStoredBefore(S);
  });
}

bool GroupBuilder::build(LoopGroup &Group) {
  Group.Needed.resize(G.body().size());
  SmallVector<unsigned> Open{
      G.indexOf(G.loop().getLoopLatch()->getTerminator())};
  for (auto [N, Node] : enumerate(G.nodes()))
    if (*P[N] == Number)
      append_range(Open, Node.Roots);
  auto Need = [&](unsigned I) { Open.push_back(I); };
  while (!Open.empty()) {
    unsigned I = Open.pop_back_val();
    if (Group.Needed.test(I))
      continue;
    Group.Needed.set(I);
    const Reload *R = G.reloadOf(I);
    if (R && isStoredBefore(R->From)) {
      Group.Reloads.insert({I, R});
      G.forEachNeed(I, /*ControlOnly=*/true, Need);
      if (auto *Address = dyn_cast<Instruction>(R->From->getPointerOperand());
          Address && G.contains(Address))
        Need(G.indexOf(Address));
      continue;
    }
    if (isa<LoadInst>(G.body()[I]) && isOverwrittenBefore(I))
      return false;
    G.forEachNeed(I, /*ControlOnly=*/false, Need);
  }
  return true;
}

/// Those pairs of which one lies in another loop than the other, or that what
/// is loaded back relies on.
static std::vector<MemoryEdge> neededChecks(const LoopGraph &G,
                                            ArrayRef<LoopGroup> Groups) {
  std::vector<MemoryEdge> Checks;
  auto IsReloaded = [&](unsigned I) {
    return any_of(Groups, [&](const LoopGroup &Group) {
      return any_of(Group.Reloads, [&](const auto &Reload) {
        return Reload.second->From == G.body()[I];
      });
    });
  };
  for (const MemoryEdge &E : G.checkablePairs()) {
    bool Apart = IsReloaded(E.First) || IsReloaded(E.Second);
    for (unsigned I = 0; I != Groups.size(); ++I)
      for (unsigned J = 0; J != Groups.size(); ++J)
        Apart |= I != J && Groups[I].Needed.test(E.First) &&
                 Groups[J].Needed.test(E.Second);
    if (Apart)
      Checks.push_back(E);
  }
  return Checks;
}

std::optional<LoopGroup>
mlcompiler::planGroup(const LoopGraph &G, const Partition &P, unsigned Number) {
  LoopGroup Group;
  if (!GroupBuilder(G, P, Number).build(Group))
    return std::nullopt;
  return Group;
}

std::optional<LoopPlan> mlcompiler::planLoops(const LoopGraph &G,
                                              const Partition &P) {
  LoopPlan Plan;
  unsigned Count = 0;
  for (const std::optional<unsigned> &Group : P)
    Count = std::max(Count, *Group + 1);
  for (unsigned Number = 0; Number != Count; ++Number) {
    std::optional<LoopGroup> Group = planGroup(G, P, Number);
    if (!Group)
      return std::nullopt;
    Plan.Groups.push_back(std::move(*Group));
  }
  if (Count > 1)
    Plan.Checks = neededChecks(G, Plan.Groups);
  return Plan;
}

unsigned LoopPlan::computedBy(unsigned I) const {
  for (unsigned Group = 0; Group != Groups.size(); ++Group)
    if (Groups[Group].Needed.test(I) && !Groups[Group].Reloads.contains(I))
      return Group;
  reportFatalInternalError("a value that is used after a split loop, and that "
                           "none of its parts computes");
}

bool mlcompiler::mayDistribute(const LoopGraph &G, const Partition &P) {
  Partition Rest = P;
  unsigned Next = 0;
  for (const std::optional<unsigned> &Group : P)
    if (Group)
      Next = std::max(Next, *Group + 1);
  for (std::optional<unsigned> &Group : Rest)
    if (!Group)
      Group = Next;
  return Next > 0 && planLoops(G, Rest).has_value();
}
