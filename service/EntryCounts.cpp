//===- EntryCounts.cpp - How often functions are entered ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "EntryCounts.h"
#include "llvm/ADT/GraphTraits.h"
#include "llvm/ADT/SCCIterator.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace llvm;
using namespace mlcompiler;

/// For a group of functions that call each other, the largest part of its
/// entries that may lead to another entry of the group.
static constexpr double MostRecursion = 0.9;

/// Rounds of an iteration whose error shrinks by that factor in each round.
static constexpr unsigned Rounds = 400;

namespace {

struct Function {
  std::vector<Function *> Callees;
  std::vector<const CallEdge *> Calls;
  unsigned Index = 0;
};

struct CallGraph {
  std::vector<Function> Functions;
  /// Leads to all other functions, so that all are found from it.
  Function Root;
};

} // namespace

namespace llvm {
template <> struct GraphTraits<CallGraph *> {
  using NodeRef = Function *;
  using ChildIteratorType = std::vector<Function *>::iterator;
  static NodeRef getEntryNode(CallGraph *G) { return &G->Root; }
  static ChildIteratorType child_begin(NodeRef N) { return N->Callees.begin(); }
  static ChildIteratorType child_end(NodeRef N) { return N->Callees.end(); }
};
} // namespace llvm

/// One round of calls within a group.
static std::vector<double> callOnce(ArrayRef<double> Entered,
                                    ArrayRef<CallEdge> Within) {
  std::vector<double> Called(Entered.size());
  for (const CallEdge &Call : Within)
    Called[Call.Callee] += Entered[Call.Caller] * Call.Frequency;
  return Called;
}

/// The factor by which the entries of a group grow from one round of calls to
/// the next.
static double growth(unsigned Size, ArrayRef<CallEdge> Within) {
  std::vector<double> Entered(Size, 1.0 / Size);
  double LogOfAll = 0;
  for (unsigned I = 0; I < Rounds; ++I) {
    // A part stays where it is, so that the values do not swing for ever.
    std::vector<double> Called = callOnce(Entered, Within);
    double Sum = 0;
    for (unsigned J = 0; J < Size; ++J)
      Sum += Called[J] = (Called[J] + Entered[J]) / 2;
    for (unsigned J = 0; J < Size; ++J)
      Entered[J] = Called[J] / Sum;
    // After half of the rounds, only what grows fastest is left.
    if (I >= Rounds / 2)
      LogOfAll += std::log(Sum);
  }
  return 2 * std::exp(LogOfAll / (Rounds - Rounds / 2)) - 1;
}

/// Turns what enters a group from outside into how often it is entered.
static void addRecursion(std::vector<double> &Entered,
                         std::vector<CallEdge> &Within) {
  const double Growth = growth(Entered.size(), Within);
  if (Growth > MostRecursion)
    for (CallEdge &Call : Within)
      Call.Frequency *= MostRecursion / Growth;
  const std::vector<double> Outside = Entered;
  for (unsigned I = 0; I < Rounds; ++I) {
    Entered = callOnce(Entered, Within);
    for (unsigned J = 0; J < Entered.size(); ++J)
      Entered[J] += Outside[J];
  }
}

std::vector<double> mlcompiler::entryCounts(ArrayRef<double> Roots,
                                            ArrayRef<CallEdge> Calls) {
  CallGraph Graph;
  Graph.Functions.resize(Roots.size());
  for (unsigned I = 0; I < Roots.size(); ++I) {
    Graph.Functions[I].Index = I;
    Graph.Root.Callees.push_back(&Graph.Functions[I]);
  }
  for (const CallEdge &Call : Calls) {
    Function &Caller = Graph.Functions[Call.Caller];
    Caller.Calls.push_back(&Call);
    Caller.Callees.push_back(&Graph.Functions[Call.Callee]);
  }
  // Groups come callees first.
  std::vector<SmallVector<unsigned>> Groups;
  for (auto It = scc_begin(&Graph); !It.isAtEnd(); ++It)
    if (It->front() != &Graph.Root)
      Groups.push_back(
          to_vector(map_range(*It, [](Function *F) { return F->Index; })));

  std::vector<double> Counts = Roots.vec();
  std::vector<int> Place(Roots.size(), -1);
  for (ArrayRef<unsigned> Group : reverse(Groups)) {
    std::vector<double> Entered;
    for (unsigned Member : Group) {
      Place[Member] = Entered.size();
      Entered.push_back(Counts[Member]);
    }
    std::vector<CallEdge> Within;
    for (unsigned Member : Group)
      for (const CallEdge *Call : Graph.Functions[Member].Calls)
        if (Place[Call->Callee] >= 0)
          Within.push_back({unsigned(Place[Member]),
                            unsigned(Place[Call->Callee]), Call->Frequency});
    if (!Within.empty())
      addRecursion(Entered, Within);
    for (unsigned Member : Group)
      Counts[Member] = Entered[Place[Member]];
    for (unsigned Member : Group)
      for (const CallEdge *Call : Graph.Functions[Member].Calls)
        if (Place[Call->Callee] < 0)
          Counts[Call->Callee] += Counts[Member] * Call->Frequency;
    for (unsigned Member : Group)
      Place[Member] = -1;
  }
  return Counts;
}
