//===- LoopCost.cpp - A static cost of loops ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "TripCount.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/BlockFrequencyInfo.h"
#include "llvm/Analysis/BranchProbabilityInfo.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/IntrinsicInst.h"
#include <cmath>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Cycles that a line takes from the next level of the cache.
constexpr double MissCycles = 8;
/// Where the target does not say.
constexpr unsigned DefaultLineBytes = 64;

/// The cost of one function.
class FunctionCost {
public:
  FunctionCost(Function &F, FunctionAnalysisManager &FAM)
      : F(F), LI(FAM.getResult<LoopAnalysis>(F)),
        SE(FAM.getResult<ScalarEvolutionAnalysis>(F)),
        TTI(FAM.getResult<TargetIRAnalysis>(F)),
        BFI(FAM.getResult<BlockFrequencyAnalysis>(F)),
        BPI(FAM.getResult<BranchProbabilityAnalysis>(F)) {}

  double cycles() {
    double Sum = 0;
    for (BasicBlock &B : F)
      Sum += executions(B) * latency(B);
    for (Loop *L : LI.getLoopsInPreorder())
      if (L->isInnermost())
        Sum += MissCycles * entries(*L) * lines(*L);
    return Sum;
  }

private:
  double latency(BasicBlock &B) const;
  double executions(BasicBlock &B);
  double frequency(const BasicBlock &B) const {
    return double(BFI.getBlockFreq(&B).getFrequency());
  }
  double probability(const BasicBlock &From, const BasicBlock &To) const;
  double entries(const Loop &L);
  double entriesFrom(BasicBlock &From, const Loop &L);
  double tripCount(const Loop &L);
  double lines(const Loop &L);

  Function &F;
  LoopInfo &LI;
  ScalarEvolution &SE;
  TargetTransformInfo &TTI;
  BlockFrequencyInfo &BFI;
  BranchProbabilityInfo &BPI;
  DenseMap<const Loop *, double> TripCounts;
  DenseMap<const Loop *, double> Entries;
};

} // namespace

double FunctionCost::latency(BasicBlock &B) const {
  double Sum = 0;
  for (Instruction &I : B) {
    InstructionCost Cost =
        TTI.getInstructionCost(&I, TargetTransformInfo::TCK_Latency);
    Sum += Cost.isValid() ? double(Cost.getValue()) : 1;
  }
  return Sum;
}

double FunctionCost::tripCount(const Loop &L) {
  auto [It, New] = TripCounts.try_emplace(&L);
  if (New)
    It->second = nominalTripCount(L, SE);
  return It->second;
}

double FunctionCost::probability(const BasicBlock &From,
                                 const BasicBlock &To) const {
  const BranchProbability P = BPI.getEdgeProbability(&From, &To);
  return double(P.getNumerator()) / BranchProbability::getDenominator();
}

/// How often the loop is entered from a block outside each time the function
/// is.
double FunctionCost::entriesFrom(BasicBlock &From, const Loop &L) {
  const Loop *Left = nullptr;
  for (const Loop *Around = LI.getLoopFor(&From);
       Around && !Around->contains(&L); Around = Around->getParentLoop())
    Left = Around;
  const double Way = probability(From, *L.getHeader());
  if (!Left)
    return executions(From) * Way;
  // Straight from another loop, which is left once each time it is entered,
  // however often it runs.
  SmallVector<Loop::Edge> Edges;
  Left->getExitEdges(Edges);
  double All = 0;
  for (auto [Inside, Outside] :
       SetVector<Loop::Edge>(Edges.begin(), Edges.end()))
    All += frequency(*Inside) * probability(*Inside, *Outside);
  return All > 0 ? entries(*Left) * frequency(From) * Way / All : 0;
}

/// How often the loop is entered each time the function is.
double FunctionCost::entries(const Loop &L) {
  if (auto It = Entries.find(&L); It != Entries.end())
    return It->second;
  double Sum = 0;
  for (BasicBlock *B : SmallSetVector<BasicBlock *, 4>(
           pred_begin(L.getHeader()), pred_end(L.getHeader())))
    if (!L.contains(B))
      Sum += entriesFrom(*B, L);
  return Entries[&L] = Sum;
}

/// How often the block is executed each time the function is: by frequency
/// relative to the header of its loop, which runs its nominal trip count.
double FunctionCost::executions(BasicBlock &B) {
  const Loop *L = LI.getLoopFor(&B);
  if (!L) {
    const double Entry = frequency(F.getEntryBlock());
    return Entry > 0 ? frequency(B) / Entry : 0;
  }
  const double Header = frequency(*L->getHeader());
  return Header > 0 ? entries(*L) * tripCount(*L) * frequency(B) / Header : 0;
}

/// Lines that the loop touches by itself, as LLVM's LoopCacheAnalysis reckons:
/// accesses that are a constant distance of less than a line apart count once;
/// one at a constant stride touches a line each time, or as rarely as it comes
/// to a new one.
double FunctionCost::lines(const Loop &L) {
  const unsigned LineBytes =
      TTI.getCacheLineSize() ? TTI.getCacheLineSize() : DefaultLineBytes;
  const double Trips = tripCount(L);
  SmallVector<const SCEV *> Counted;
  double Sum = 0;
  for (BasicBlock *B : L.blocks()) {
    for (Instruction &I : *B) {
      Value *Pointer = getLoadStorePointerOperand(&I);
      if (!Pointer)
        continue;
      const SCEV *Address = SE.getSCEV(Pointer);
      const double Bytes = SE.getDataLayout()
                               .getTypeStoreSize(getLoadStoreType(&I))
                               .getKnownMinValue();
      if (any_of(Counted, [&](const SCEV *Other) {
            auto *Gap = dyn_cast<SCEVConstant>(SE.getMinusSCEV(Address, Other));
            return Gap && Gap->getAPInt().abs().ult(LineBytes);
          }))
        continue;
      Counted.push_back(Address);
      if (SE.isLoopInvariant(Address, &L)) {
        Sum += Trips > 0;
        continue;
      }
      const auto *AR = dyn_cast<SCEVAddRecExpr>(Address);
      const auto *Step = AR && AR->getLoop() == &L
                             ? dyn_cast<SCEVConstant>(AR->getStepRecurrence(SE))
                             : nullptr;
      double PerTrip = std::max(1.0, Bytes / LineBytes);
      if (Step)
        PerTrip = std::min(PerTrip,
                           std::fabs(Step->getAPInt().signedRoundToDouble()) /
                               LineBytes);
      Sum += Trips * PerTrip;
    }
  }
  return Sum;
}

namespace {

class LoopCost : public Objective {
  Expected<double> measure(Compilation &C) const override {
    LoopAnalysisManager LAM;
    FunctionAnalysisManager FAM;
    CGSCCAnalysisManager CGAM;
    ModuleAnalysisManager MAM;
    PassBuilder PB(&C.target());
    PB.registerModuleAnalyses(MAM);
    PB.registerCGSCCAnalyses(CGAM);
    PB.registerFunctionAnalyses(FAM);
    PB.registerLoopAnalyses(LAM);
    PB.crossRegisterProxies(LAM, FAM, CGAM, MAM);
    double Cycles = 0;
    for (Function &F : C.module())
      if (!F.isDeclaration())
        Cycles += FunctionCost(F, FAM).cycles();
    return Cycles;
  }
};

} // namespace

static ObjectiveRegistry::Add<LoopCost>
    X("loop_cost",
      "Cycles by a static model, each function entered once: the latency that "
      "LLVM's TargetTransformInfo gives an instruction, times how often its "
      "block is executed, and 8 for each cache line that an innermost loop "
      "touches. Loops run as often as they would if every number that is not "
      "known were 1024; one that LLVM has vectorised, by VF times IF less "
      "often.");
