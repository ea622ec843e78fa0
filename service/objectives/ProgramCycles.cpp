//===- ProgramCycles.cpp - Cycles along the call graph --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "ProgramCosts.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class ProgramCycles : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    auto Costs = programCosts(C, "program_cycles", Entered::ByCalls);
    if (!Costs)
      return Costs.takeError();
    return (*Costs)[BlockCosts::throughput];
  }
};

} // namespace

static ObjectiveRegistry::Add<ProgramCycles> X(
    "program_cycles",
    "llvm-mca's block reciprocal throughput on the cpu that is compiled for, "
    "times how often the block is executed for each call from outside of the "
    "functions that others can see. A function is entered as often as its call "
    "sites are executed, so that inlining a call is worth only what it changes "
    "in the code. A call by pointer counts for all functions whose address is "
    "taken, in equal parts; recursion ends. Frequencies come from the "
    "program's profile if it has one, and otherwise from LLVM's guesses. "
    "Mispredicted branches, caches, and dependences between instructions are "
    "not in it, nor what library functions take.");
