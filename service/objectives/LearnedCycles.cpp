//===- LearnedCycles.cpp - Cycles as learned from measured builds ---------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LearnedCyclesModel.h"
#include "Objective.h"
#include "ProgramCosts.h"
#include "policy/Evaluator.h"
#include "policy/PolicyFile.h"

using namespace llvm;
using namespace mlcompiler;

/// Reads the model that comes with the service.
static policy::Model readModel() {
  policy::Policy Read;
  std::string Why;
  const std::string_view File(
      reinterpret_cast<const char *>(LearnedCyclesModel),
      sizeof(LearnedCyclesModel));
  if (!policy::readPolicy(File, Read, Why))
    report_fatal_error(Twine("the model of learned_cycles: ") + Why);
  if (Read.Model.elements() != BlockCosts::Count || Read.Model.outputs() != 1)
    report_fatal_error("the model of learned_cycles is of other costs");
  return std::move(Read.Model);
}

namespace {

class LearnedCycles : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    auto Costs = programCosts(C, "learned_cycles", Entered::ByEither);
    if (!Costs)
      return Costs.takeError();
    const double Instructions = (*Costs)[BlockCosts::instructions];
    if (Instructions <= 0)
      return 0;
    std::array<float, BlockCosts::Count> Shares;
    for (auto [Share, Value] : zip(Shares, Costs->Values))
      Share = Value / Instructions;
    return Instructions *
           policy::Evaluator(readModel()).outputs(Shares.data())[0];
  }
};

} // namespace

static ObjectiveRegistry::Add<LearnedCycles> X(
    "learned_cycles",
    "What code_costs counts, times what each kind costs. The costs were "
    "learned from measured times of builds of the programs that are for "
    "training, on one machine for x86-64. The program's profile says how often "
    "code is executed; without a profile, LLVM guesses. Caches are not in it, "
    "nor what library functions take.");
