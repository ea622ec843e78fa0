//===- ProgramCosts.cpp - What a run of a program costs -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ProgramCosts.h"
#include "BlockCycles.h"
#include "EntryCounts.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// The functions of a module, and how often each may be entered by calls that
/// the module does not show.
class Functions {
public:
  explicit Functions(Module &M) {
    for (Function &F : M) {
      if (F.isDeclaration()) {
        External.insert(F.getName());
        continue;
      }
      const bool Taken = F.hasAddressTaken();
      if (Taken)
        AddressTaken.push_back(Roots.size());
      Indices[F.getName()] = Roots.size();
      Roots.push_back(Taken || !F.hasLocalLinkage());
      auto Count = F.getEntryCount();
      HasProfile |= Count.has_value();
      Profiled.push_back(Count ? Count->getCount() : 0);
    }
    // Stands for every function that is called by a pointer.
    Pointer = Roots.size();
    Roots.push_back(0);
    Profiled.push_back(0);
    for (unsigned Taken : AddressTaken)
      Calls.push_back({Pointer, Taken, 1.0 / AddressTaken.size()});
    Costs.resize(Roots.size());
  }

  bool hasProfile() const { return HasProfile; }

  void add(const CostedBlock &Block) {
    auto Caller = Indices.find(Block.Function);
    if (Caller == Indices.end())
      return;
    BlockCosts &Sum = Costs[Caller->second];
    Sum.add(Block.Costs, Block.Frequency);
    for (StringRef Target : Block.Targets) {
      auto Callee = Indices.find(Target);
      if (Callee != Indices.end())
        Calls.push_back({Caller->second, Callee->second, Block.Frequency});
      else if (Target.empty())
        Calls.push_back({Caller->second, Pointer, Block.Frequency});
      else if (External.contains(Target))
        Sum[BlockCosts::external_calls] += Block.Frequency;
    }
  }

  BlockCosts sum(bool ByProfile) const {
    BlockCosts Sum;
    // The profile knows no function that a pass has made.
    const std::vector<double> Counts =
        ByProfile ? Profiled : entryCounts(Roots, Calls);
    for (auto [Count, Each] : zip(Counts, Costs))
      Sum.add(Each, Count);
    return Sum;
  }

private:
  StringSet<> External;
  StringMap<unsigned> Indices;
  std::vector<unsigned> AddressTaken;
  unsigned Pointer = 0;
  bool HasProfile = false;
  std::vector<double> Roots;
  std::vector<double> Profiled;
  std::vector<CallEdge> Calls;
  std::vector<BlockCosts> Costs;
};

} // namespace

Expected<BlockCosts> mlcompiler::programCosts(Compilation &C, StringRef What,
                                              Entered How) {
  Functions All(C.module());
  if (How == Entered::ByProfile && !All.hasProfile())
    return fail(proto::FAILED_PRECONDITION,
                What.str() + " is of programs that have a profile, and this "
                             "one has none; measuring.profile() makes one of a "
                             "run");
  if (Error E = costBlocks(C, What,
                           [&](const CostedBlock &Block) { All.add(Block); }))
    return E;
  return All.sum(How != Entered::ByCalls && All.hasProfile());
}
