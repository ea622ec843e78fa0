//===- MCACycles.cpp - Cycles by llvm-mca's throughput --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockCycles.h"
#include "Objective.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class MCACycles : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    double Cycles = 0;
    if (Error E = costBlocks(C, "mca_cycles", [&](const CostedBlock &Block) {
          Cycles += Block.Frequency * Block.Costs[BlockCosts::throughput];
        }))
      return E;
    return Cycles;
  }
};

} // namespace

static ObjectiveRegistry::Add<MCACycles> X(
    "mca_cycles",
    "llvm-mca's block reciprocal throughput on the cpu that is compiled for, "
    "times the block's frequency relative to the function's entry, over all "
    "blocks of all functions. Each function counts as if it were entered once, "
    "however often it is called: inlining into a loop looks like a loss, which "
    "program_cycles does not have. Static: branches, caches and dependences "
    "between iterations are not in it.");
