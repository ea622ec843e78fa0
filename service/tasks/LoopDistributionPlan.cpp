//===- LoopDistributionPlan.cpp - Which loops a partition makes -----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionPlan.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Collects what one group needs, going backwards from its nodes.
class GroupBuilder {
public:
  GroupBuilder(const LoopGraph &G, const Partition &P, unsigned Number)
      : G(G), P(P), Number(Number) {}

  /// Builds the group, with the loads in \p Kept, which later groups need.
  /// Returns false if it cannot be computed at its place among the groups.
  bool build(LoopGroup &Group, ArrayRef<unsigned> Kept = {});

  /// The first earlier group in which a load has the value that it has in the
  /// original loop, if there is one.
  std::optional<unsigned> keeperOf(unsigned Load) const;

private:
  bool collect(LoopGroup &Group, SmallVector<unsigned> Open, bool IsAhead);
  bool isStoredLater(unsigned Load) const;
  template <typename Predicate>
  bool anyStore(unsigned Load, bool IsBefore, Predicate Matches) const;
  bool isStoredBefore(const StoreInst *S) const {
    return *P[G.nodeOf(S)] < Number;
  }
  bool isOverwrittenBefore(unsigned Load) const;

  const LoopGraph &G;
  const Partition &P;
  const unsigned Number;
};

} // namespace

/// Whether there is a matching store that conflicts with a load. In some
/// iterations, the load must come before the store if \p IsBefore, and behind
/// it otherwise.
template <typename Predicate>
bool GroupBuilder::anyStore(unsigned Load, bool IsBefore,
                            Predicate Matches) const {
  return any_of(G.memoryEdges(), [&](const MemoryEdge &E) {
    unsigned Other;
    if (E.First == Load && (IsBefore ? E.How.Forward : E.How.Backward))
      Other = E.Second;
    else if (E.Second == Load && (IsBefore ? E.How.Backward : E.How.Forward))
      Other = E.First;
    else
      return false;
    const auto *S = dyn_cast<StoreInst>(G.body()[Other]);
    return S && Matches(*P[G.nodeOf(S)]);
  });
}

bool GroupBuilder::isOverwrittenBefore(unsigned Load) const {
  return anyStore(Load, /*IsBefore=*/true,
                  [&](unsigned Group) { return Group < Number; });
}

/// Whether a load reads what only a later group stores.
bool GroupBuilder::isStoredLater(unsigned Load) const {
  return anyStore(Load, /*IsBefore=*/false,
                  [&](unsigned Group) { return Group > Number; });
}

std::optional<unsigned> GroupBuilder::keeperOf(unsigned Load) const {
  if (!G.arrayElements())
    return std::nullopt;
  for (unsigned Group = 0; Group != Number; ++Group) {
    LoopGroup Ignored;
    Ignored.Needed.resize(G.body().size());
    if (GroupBuilder(G, P, Group).collect(Ignored, {Load}, /*IsAhead=*/true))
      return Group;
  }
  return std::nullopt;
}

bool GroupBuilder::build(LoopGroup &Group, ArrayRef<unsigned> Kept) {
  Group.Needed.resize(G.body().size());
  SmallVector<unsigned> Open{
      G.indexOf(G.loop().getLoopLatch()->getTerminator())};
  for (auto [N, Node] : enumerate(G.nodes()))
    if (*P[N] == Number)
      append_range(Open, Node.Roots);
  append_range(Open, Kept);
  Group.Kept.insert_range(Kept);
  return collect(Group, std::move(Open), /*IsAhead=*/false);
}

/// Collects what \p Open need. \p IsAhead says that it must be there before the
/// nodes that need it.
bool GroupBuilder::collect(LoopGroup &Group, SmallVector<unsigned> Open,
                           bool IsAhead) {
  auto Need = [&](unsigned I) { Open.push_back(I); };
  while (!Open.empty()) {
    unsigned I = Open.pop_back_val();
    if (Group.Needed.test(I))
      continue;
    Group.Needed.set(I);
    // Freezing in two loops may give two values.
    if (IsAhead && isa<FreezeInst>(G.body()[I]))
      return false;
    const Reload *R = G.reloadOf(I);
    if (R && isStoredBefore(R->From)) {
      Group.Reloads.insert({I, R});
      G.forEachNeed(I, /*ControlOnly=*/true, Need);
      if (auto *Address = dyn_cast<Instruction>(R->From->getPointerOperand());
          Address && G.contains(Address))
        Need(G.indexOf(Address));
      continue;
    }
    if (isa<LoadInst>(G.body()[I])) {
      if (isOverwrittenBefore(I)) {
        if (IsAhead || !keeperOf(I))
          return false;
        Group.Taken.insert(I);
        G.forEachNeed(I, /*ControlOnly=*/true, Need);
        continue;
      }
      if (IsAhead && isStoredLater(I))
        return false;
    }
    G.forEachNeed(I, /*ControlOnly=*/false, Need);
  }
  return true;
}

/// The pairs that need a check: their accesses are in different loops, or a
/// value that is loaded back relies on them.
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
  Plan.Groups.resize(Count);
  // The last loop comes first: an earlier one has to put into arrays what a
  // later one takes from them.
  std::vector<SmallSetVector<unsigned, 4>> Kept(Count);
  for (unsigned Number = Count; Number-- != 0;) {
    GroupBuilder Builder(G, P, Number);
    LoopGroup &Group = Plan.Groups[Number];
    if (!Builder.build(Group, Kept[Number].getArrayRef()))
      return std::nullopt;
    for (unsigned Load : Group.Taken)
      if (Kept[*Builder.keeperOf(Load)].insert(Load)) {
        ++Plan.Arrays;
        Plan.ArrayBytes += G.arrayElements() * G.elementBytes(Load);
      }
  }
  if (Plan.ArrayBytes > G.arrayBytes())
    return std::nullopt;
  Plan.ArrayElements = G.arrayElements();
  if (Count > 1)
    Plan.Checks = neededChecks(G, Plan.Groups);
  return Plan;
}

unsigned LoopPlan::computedBy(unsigned I) const {
  for (unsigned Group = 0; Group != Groups.size(); ++Group)
    if (Groups[Group].Needed.test(I) && !Groups[Group].Reloads.contains(I) &&
        !Groups[Group].Taken.contains(I))
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
