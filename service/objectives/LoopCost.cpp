//===- LoopCost.cpp - A static cost of loops ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "TripCount.h"
#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/BranchProbabilityInfo.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/IntrinsicInst.h"
#include <cmath>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Cycles that a cache line takes from the next level of the cache.
constexpr double MissCycles = 8;
/// The size of a cache line, if the target does not say.
constexpr unsigned DefaultLineBytes = 64;

/// The most executions that a block is taken to have, so that deeply nested
/// loops do not become infinite.
constexpr double MostExecutions = 1e100;

/// The cost of one function.
class FunctionCost {
public:
  FunctionCost(Function &F, FunctionAnalysisManager &FAM)
      : F(F), LI(FAM.getResult<LoopAnalysis>(F)),
        SE(FAM.getResult<ScalarEvolutionAnalysis>(F)),
        TTI(FAM.getResult<TargetIRAnalysis>(F)),
        BPI(FAM.getResult<BranchProbabilityAnalysis>(F)), Sizes(LI, SE) {}

  double cycles();

private:
  double latency(BasicBlock &B) const;
  double probability(BasicBlock &From, BasicBlock &To);
  double along(BasicBlock &From, BasicBlock &To);
  bool isLeftOver(const BasicBlock &B);
  double tripCount(const Loop &L);
  double lines(const Loop &L);

  Function &F;
  LoopInfo &LI;
  ScalarEvolution &SE;
  TargetTransformInfo &TTI;
  BranchProbabilityInfo &BPI;
  NominalSizes Sizes;
  DenseMap<const Loop *, double> TripCounts;
  /// How often a loop is entered, and a block executed, for each entry of the
  /// function.
  DenseMap<const Loop *, double> Entries;
  DenseMap<const BasicBlock *, double> Executions;
};

} // namespace

/// Goes through blocks in an order in which each comes before its successors,
/// so that it is known how often a block is reached.
double FunctionCost::cycles() {
  double Sum = 0;
  for (BasicBlock *B : ReversePostOrderTraversal<Function *>(&F)) {
    const Loop *L = LI.getLoopFor(B);
    const bool IsHeader = L && L->getHeader() == B;
    double Times = B->isEntryBlock() ? 1 : 0;
    for (BasicBlock *From :
         SmallSetVector<BasicBlock *, 4>(pred_begin(B), pred_end(B)))
      if (!IsHeader || !L->contains(From))
        Times += along(*From, *B);
    if (IsHeader) {
      Entries[L] = Times;
      Times = std::min(Times * tripCount(*L), MostExecutions);
    }
    Executions[B] = Times;
    Sum += Times * latency(*B);
  }
  for (Loop *L : LI.getLoopsInPreorder())
    if (L->isInnermost())
      Sum += MissCycles * Entries[L] * lines(*L);
  return Sum;
}

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

/// Whether the block leads straight into the scalar loop that does what a
/// vectorised loop leaves over.
bool FunctionCost::isLeftOver(const BasicBlock &B) {
  const BasicBlock *Header = LI.isLoopHeader(&B) ? &B : B.getUniqueSuccessor();
  return Header && LI.isLoopHeader(Header) &&
         tripCount(*LI.getLoopFor(Header)) == 0;
}

/// The nominal sizes decide, if they can. Otherwise, control does not go to the
/// loop that is there in case the vectorised one cannot be used. For all other
/// branches, LLVM guesses.
double FunctionCost::probability(BasicBlock &From, BasicBlock &To) {
  auto *Branch = dyn_cast<BranchInst>(From.getTerminator());
  if (Branch && Branch->isConditional() &&
      Branch->getSuccessor(0) != Branch->getSuccessor(1)) {
    BasicBlock *Other = Branch->getSuccessor(Branch->getSuccessor(0) == &To);
    if (std::optional<bool> First = Sizes.decide(*Branch->getCondition()))
      return *First == (Branch->getSuccessor(0) == &To);
    if (isLeftOver(To) != isLeftOver(*Other))
      return isLeftOver(*Other);
  }
  const BranchProbability P = BPI.getEdgeProbability(&From, &To);
  return double(P.getNumerator()) / BranchProbability::getDenominator();
}

/// How often control goes from one block to another for each entry of the
/// function.
double FunctionCost::along(BasicBlock &From, BasicBlock &To) {
  const Loop *Left = nullptr;
  for (const Loop *Around = LI.getLoopFor(&From);
       Around && !Around->contains(&To); Around = Around->getParentLoop())
    Left = Around;
  if (!Left)
    return Executions[&From] * probability(From, To);
  // A loop is left once for each time that it is entered, however many
  // iterations it makes.
  SmallVector<Loop::Edge> Edges;
  Left->getExitEdges(Edges);
  const SetVector<Loop::Edge> Exits(Edges.begin(), Edges.end());
  double Way = 0, All = 0;
  for (auto [Inside, Outside] : Exits) {
    const BranchProbability P = BPI.getEdgeProbability(Inside, Outside);
    // Blocks that are not executed also count a little, because a loop may run
    // 0 times.
    const double Weight =
        (Executions[Inside] + 1e-9) * (double(P.getNumerator()) + 1);
    All += Weight;
    if (Inside == &From && Outside == &To)
      Way = Weight;
  }
  return Entries[Left] * Way / All;
}

/// The cache lines that the loop itself touches, as LLVM's LoopCacheAnalysis
/// counts them. Accesses that are always less than a line apart count once. An
/// access at a constant stride touches a line in each iteration, or only when
/// it comes to a new one.
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
