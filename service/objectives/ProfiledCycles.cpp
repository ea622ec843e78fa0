//===- ProfiledCycles.cpp - Cycles by a profile's counts ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockCycles.h"
#include "Objective.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class ProfiledCycles : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    StringMap<double> Entries;
    for (const Function &F : C.module())
      if (auto Count = F.getEntryCount())
        Entries[F.getName()] = Count->getCount();
    if (Entries.empty())
      return fail(
          proto::FAILED_PRECONDITION,
          "profiled_cycles is of programs that have a profile, and this "
          "one has none; measuring.profile() makes one of a run");
    double Cycles = 0;
    if (Error E =
            costBlocks(C, "profiled_cycles", [&](const CostedBlock &Block) {
              // What a pass has made of nothing that was counted is not in it.
              Cycles += Entries.lookup(Block.Function) * Block.Frequency *
                        Block.Cycles;
            }))
      return E;
    return Cycles;
  }
};

} // namespace

static ObjectiveRegistry::Add<ProfiledCycles> X(
    "profiled_cycles",
    "llvm-mca's block reciprocal throughput on the cpu that is compiled for, "
    "times how often the block was executed in the run that the program's "
    "profile is of, as far as passes have kept the counts true. Mispredicted "
    "branches, caches, and dependences between instructions are not in it, nor "
    "what library functions take.");
