//===- LoopDistributionFeatures.cpp - What a group is like ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionFeatures.h"

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
    BodyMeter Body(G.loop(), SE);
    for (unsigned I : Group.Needed.set_bits()) {
      if (auto It = Group.Reloads.find(I); It != Group.Reloads.end())
        Body.countAccess(*It->second->From, /*IsLoad=*/true);
      else if (Group.Taken.contains(I))
        // It comes from an array with one element for each iteration.
        Body.countElementLoad(G.elementBytes(I));
      else
        Body.count(*G.body()[I]);
    }
    M.Objects.insert(Body.objects().begin(), Body.objects().end());
    bool Prevented = Body.storesIrregularly();
    float Carried = 0;
    for (const MemoryEdge &E : G.memoryEdges()) {
      if (!M.Needed.test(E.First) || !M.Needed.test(E.Second))
        continue;
      Carried += E.How.Backward || E.How.Distance > 0;
      Prevented |= E.How.Backward && E.First != E.Second &&
                   std::abs(E.How.Distance) < VectorIterations;
    }
    const bool Vectorizes =
        !Body.recurrences() && !Prevented && Group.Needed.any();
    const float Own[] = {
        Carried, static_cast<float>(Vectorizes),
        static_cast<float>(Group.Reloads.size() + Group.Taken.size())};
    static_assert(std::size(Own) == std::size(OwnGroupFeatures));
    copy(Own, copy(Body.numbers(), M.Numbers.begin()));
    return M;
  }

private:
  const LoopGraph &G;
  ScalarEvolution &SE;
};

} // namespace

NodeFeatures mlcompiler::describeNode(const DistributionState &State,
                                      unsigned Node, ScalarEvolution &SE) {
  const LoopGraph &G = State.graph();
  // Measures a group with all nodes that have been decided on, and this node.
  // All other nodes go into a group that is not measured.
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
