//===- LoopDistributionPass.cpp - Distribution as it is decided -----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionPass.h"
#include "LoopBody.h"
#include "LoopDistributionTransform.h"
#include "LoopFlags.h"
#include "SymbolNames.h"
#include "llvm/Analysis/DomTreeUpdater.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/LCSSA.h"
#include "llvm/Transforms/Utils/LoopSimplify.h"

using namespace llvm;
using namespace mlcompiler;

/// Bytes of the stack that the arrays of all loops of a function may take
/// together.
static constexpr uint64_t MaxArrayBytes = 16384;

/// Merges the blocks of a group that follow one another, so that later passes
/// see straight-line code.
static void mergeBlocks(Function &F, FunctionAnalysisManager &FAM) {
  auto &LI = FAM.getResult<LoopAnalysis>(F);
  auto &DT = FAM.getResult<DominatorTreeAnalysis>(F);
  DomTreeUpdater DTU(DT, DomTreeUpdater::UpdateStrategy::Eager);
  for (Loop *L : LI.getLoopsInPreorder()) {
    if (!L->isInnermost())
      continue;
    for (BasicBlock *B : SmallVector<BasicBlock *>(drop_begin(L->blocks())))
      MergeBlockIntoPredecessor(B, &DTU, &LI);
  }
}

PreservedAnalyses
DecidedLoopDistributionPass::run(Function &F, FunctionAnalysisManager &FAM) {
  bool Changed = false;
  uint64_t ArrayBytes = MaxArrayBytes;
  for (auto &[Header, Name] :
       innermostLoops(F, FAM.getResult<LoopAnalysis>(F))) {
    // The analyses are computed for each loop, because splitting one
    // invalidates all of them.
    auto &LI = FAM.getResult<LoopAnalysis>(F);
    Loop &L = *LI.getLoopFor(Header);
    Changed |= dropIfMalformed(L, DistributeFlag);
    Changed |= distribute(L, std::move(Name), ArrayBytes, FAM);
  }
  return Changed ? PreservedAnalyses::none() : PreservedAnalyses::all();
}

bool DecidedLoopDistributionPass::distribute(Loop &L, std::string Name,
                                             uint64_t &ArrayBytes,
                                             FunctionAnalysisManager &FAM) {
  Function &F = *L.getHeader()->getParent();
  auto &LI = FAM.getResult<LoopAnalysis>(F);
  auto &DT = FAM.getResult<DominatorTreeAnalysis>(F);
  auto &SE = FAM.getResult<ScalarEvolutionAnalysis>(F);
  json::Object Entry{{"loop", toText(Name)}};
  std::string Reason;
  std::unique_ptr<LoopGraph> G = LoopGraph::build(
      L,
      {LI, DT, FAM.getResult<PostDominatorTreeAnalysis>(F), SE,
       FAM.getResult<AAManager>(F), FAM.getResult<TargetLibraryAnalysis>(F)},
      ArrayBytes, Reason);
  if (!G) {
    Entry["skipped"] = json::fixUTF8(Reason);
    Log.push_back(std::move(Entry));
    return false;
  }
  Entry["nodes"] = int64_t(G->nodes().size());
  if (G->nodes().size() < 2) {
    Entry["skipped"] = G->nodes().empty() ? "no effect" : "only one node";
    Log.push_back(std::move(Entry));
    return false;
  }
  DistributionState State(*G, Name);
  Decide(State, FAM);
  json::Array Groups;
  for (const std::optional<unsigned> &Group : State.partition())
    Groups.push_back(int64_t(*Group));
  Entry["groups"] = std::move(Groups);
  std::optional<LoopPlan> Plan = planLoops(*G, State.partition());
  if (!Plan)
    reportFatalInternalError("an illegal partition of " + Twine(Name));
  Entry["checks"] = int64_t(Plan->Checks.size());
  int64_t Reloads = 0;
  for (const LoopGroup &Group : Plan->Groups)
    Reloads += Group.Reloads.size();
  Entry["reloads"] = Reloads;
  Entry["arrays"] = int64_t(Plan->Arrays);
  Log.push_back(std::move(Entry));
  if (Plan->Groups.size() < 2)
    return false;
  ArrayBytes -= Plan->ArrayBytes;

  distributeLoop(*G, *Plan, LI, DT, SE);
  G.reset();
  FAM.invalidate(F, PreservedAnalyses::none());
  mergeBlocks(F, FAM);
  FAM.invalidate(F, LoopSimplifyPass().run(F, FAM));
  FAM.invalidate(F, LCSSAPass().run(F, FAM));
  FAM.invalidate(F, PreservedAnalyses::none());
  std::string Broken;
  raw_string_ostream OS(Broken);
  if (verifyFunction(F, &OS))
    reportFatalInternalError("distribution broke " + Twine(Name) + ": " +
                             Broken);
  FAM.getResult<LoopAnalysis>(F).verify(
      FAM.getResult<DominatorTreeAnalysis>(F));
  return true;
}

void DecidedLoopDistributionPass::install(PassBuilder &PB, Decider Decide,
                                          json::Array &Log) {
  PB.registerVectorizerStartEPCallback(
      [Decide = std::move(Decide), &Log](FunctionPassManager &FPM,
                                         OptimizationLevel Level) {
        if (Level == OptimizationLevel::O0) {
          // No other pass at -O0 brings variables into registers.
          FPM.addPass(SROAPass(SROAOptions::ModifyCFG));
          FPM.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
          FPM.addPass(InstCombinePass());
          FPM.addPass(SimplifyCFGPass());
        }
        FPM.addPass(createFunctionToLoopPassAdaptor(
            LoopRotatePass(Level != OptimizationLevel::Oz)));
        FPM.addPass(DecidedLoopDistributionPass(Decide, Log));
      });
}
