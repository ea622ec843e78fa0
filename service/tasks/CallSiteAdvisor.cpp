//===- CallSiteAdvisor.cpp - Who asks whether to inline -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CallSiteAdvisor.h"
#include "llvm/Analysis/InlineModelFeatureMaps.h"

using namespace llvm;
using namespace mlcompiler;

const policy::Kind &mlcompiler::inliningKind() {
  static const policy::Kind Inlining = [] {
    policy::Kind K;
    K.Task = "inlining";
    K.Actions = 2;
    K.Heuristic.emplace();
    K.Heuristic->Feature = DefaultDecisionName;
    K.Inactive = 0;
    K.Active = 1;
    K.Rules = {{"last_use", {DefaultDecisionName, CalleeRemovedName}}};
    return K;
  }();
  return Inlining;
}

bool CallSiteAdvisor::heuristicDecision() {
  std::unique_ptr<InlineAdvice> Advice = Heuristic.getAdvice(*CallSite);
  if (!Advice)
    return false;
  // The heuristic only gives its opinion.
  Advice->recordUnattemptedInlining();
  return Advice->isInliningRecommended();
}

std::unique_ptr<MLInlineAdvice>
CallSiteAdvisor::getAdviceFromModel(CallBase &CB,
                                    OptimizationRemarkEmitter &ORE) {
  CallSite = &CB;
  std::unique_ptr<MLInlineAdvice> Advice =
      MLInlineAdvisor::getAdviceFromModel(CB, ORE);
  Asked[&CB] = true;
  return Advice;
}
