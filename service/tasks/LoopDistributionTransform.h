//===- LoopDistributionTransform.h - One loop becomes several ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONTRANSFORM_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONTRANSFORM_H

#include "LoopDistributionPlan.h"

namespace mlcompiler {

/// Replaces the loop by the loops of \p Plan, of which there are at least two.
/// If the plan has pairs to check, the loops come behind a check at run time,
/// and the original loop is kept for when it fails. Metadata is copied. \p LI
/// and \p DT are kept up to date while this runs, but no analysis is valid
/// afterwards. Loops must be in LCSSA form and have preheaders.
void distributeLoop(LoopGraph &G, const LoopPlan &Plan, llvm::LoopInfo &LI,
                    llvm::DominatorTree &DT, llvm::ScalarEvolution &SE);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONTRANSFORM_H
