//===- ProgramCycles.cpp - Cycles along the call graph --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockCycles.h"
#include "EntryCounts.h"
#include "Objective.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Which functions there are, and who may call them from where no call is seen.
class Functions {
public:
  explicit Functions(Module &M) {
    for (Function &F : M) {
      if (F.isDeclaration())
        continue;
      const bool Taken = F.hasAddressTaken();
      if (Taken)
        AddressTaken.push_back(Roots.size());
      Indices[F.getName()] = Roots.size();
      Roots.push_back(Taken || !F.hasLocalLinkage());
    }
    // Stands for what is called by pointer, whichever function that is.
    Pointer = Roots.size();
    Roots.push_back(0);
    for (unsigned Taken : AddressTaken)
      Calls.push_back({Pointer, Taken, 1.0 / AddressTaken.size()});
    Cycles.resize(Roots.size());
  }

  void add(const CostedBlock &Block) {
    auto Caller = Indices.find(Block.Function);
    if (Caller == Indices.end())
      return;
    Cycles[Caller->second] += Block.Frequency * Block.Cycles;
    for (StringRef Target : Block.Targets) {
      auto Callee = Indices.find(Target);
      if (Callee != Indices.end())
        Calls.push_back({Caller->second, Callee->second, Block.Frequency});
      else if (Target.empty())
        Calls.push_back({Caller->second, Pointer, Block.Frequency});
    }
  }

  double sum() const {
    double Sum = 0;
    for (auto [Count, Each] : zip(entryCounts(Roots, Calls), Cycles))
      Sum += Count * Each;
    return Sum;
  }

private:
  StringMap<unsigned> Indices;
  std::vector<unsigned> AddressTaken;
  unsigned Pointer = 0;
  std::vector<double> Roots;
  std::vector<CallEdge> Calls;
  std::vector<double> Cycles;
};

class ProgramCycles : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    Functions All(C.module());
    if (Error E = costBlocks(C, "program_cycles",
                             [&](const CostedBlock &Block) { All.add(Block); }))
      return E;
    return All.sum();
  }
};

} // namespace

static ObjectiveRegistry::Add<ProgramCycles> X(
    "program_cycles",
    "llvm-mca's block reciprocal throughput on the cpu that is compiled for, "
    "times how often the block is executed for each call from outside of the "
    "functions that others can see: a function is entered as often as its call "
    "sites are executed, so that inlining a call is worth only what it changes "
    "in the code. A call by pointer counts for all functions whose address is "
    "taken, in equal parts; recursion ends. Frequencies are those of a profile "
    "where the program has one, else guesses: LLVM's of branches and loops. "
    "Mispredicted branches, caches, and dependences between instructions are "
    "not in it, nor what library functions take.");
