//===- LoopDistributionTransform.h - One loop becomes several ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONTRANSFORM_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONTRANSFORM_H

#include "LoopDistributionPlan.h"

namespace mlcompiler {

/// Replaces the loop by the loops of \p Plan, of which there are at least two;
/// behind a check at run time, with the loop as it was beside them, if the plan
/// has pairs to check. Metadata is copied; of the analyses, those of \p LI and
/// \p DT alone are as they should be on the way, and none may be relied on
/// afterwards. Loops are in LCSSA form, and have preheaders.
void distributeLoop(LoopGraph &G, const LoopPlan &Plan, llvm::LoopInfo &LI,
                    llvm::DominatorTree &DT, llvm::ScalarEvolution &SE);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONTRANSFORM_H
