//===- ProfiledCycles.cpp - Cycles by a profile's counts ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "ProgramCosts.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class ProfiledCycles : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    auto Costs = programCosts(C, "profiled_cycles", Entered::ByProfile);
    if (!Costs)
      return Costs.takeError();
    return (*Costs)[BlockCosts::throughput];
  }
};

} // namespace

static ObjectiveRegistry::Add<ProfiledCycles> X(
    "profiled_cycles",
    "llvm-mca's block reciprocal throughput on the cpu that is compiled for, "
    "times how often the block was executed in the run of the program's "
    "profile. Passes may have made the counts less true. Mispredicted "
    "branches, caches, and dependences between instructions are not in it, nor "
    "what library functions take.");
