//===- RegAllocScore.cpp - How well registers are allocated ---------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class RegAllocScoreObjective : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    if (!C.optimizesRegisters())
      return fail(proto::FAILED_PRECONDITION,
                  "regalloc_score is of the greedy register allocator, which "
                  "does not run at codegen_opt_level 0");
    // The score is worked out when registers are allocated.
    if (auto Code = C.object(); !Code)
      return Code.takeError();
    double Score = 0;
    for (const AllocatedFunction &F : C.allocated())
      Score += F.Score;
    return Score;
  }

  std::optional<double> ofFunction(const AllocatedFunction &F) const override {
    return F.Score;
  }
};

} // namespace

static ObjectiveRegistry::Add<RegAllocScoreObjective> X(
    "regalloc_score",
    "MLGO's score of the register allocation (LLVM's RegAllocScore). It sums "
    "the frequency of each instruction's block, relative to the function's "
    "entry. The weight is 0.2 for a copy or a cheap rematerialisation, 1 for a "
    "store or an expensive rematerialisation, 4 for a load, 5 for both.");
