//===- LoopFacts.h - What is known of a loop --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPFACTS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPFACTS_H

#include "LoopBody.h"
#include "llvm/Analysis/DemandedBits.h"
#include "llvm/Analysis/LoopAccessAnalysis.h"
#include "llvm/IR/PassManager.h"

namespace mlcompiler {

/// Numbers of the loop as a whole.
constexpr FeatureText LoopFeatures[] = {
    {"trip_count", "iterations if constant, otherwise 0"},
    {"most_iterations", "iterations at most if that is known, otherwise 0"},
    {"trip_multiple", "what the number of iterations is a multiple of"},
    {"counted", "1: the number of iterations is known as the loop is entered"},
    {"depth", "loops around the body, this one included"},
    {"exits", "blocks that the loop is left from"},
    {"narrowest_bits", "bits of the narrowest element that is loaded, stored "
                       "or carried by a reduction"},
    {"widest_bits", "bits of the widest of them"},
    {"register_bits", "bits of the target's vector registers"},
    {"registers", "vector registers of the target"},
    {"legal", "1: LLVM's vectoriser may take the loop"},
    {"safe_elements", "neighbouring iterations that may be made at once, for "
                      "the dependences between them; 0: any number"},
    {"checks", "comparisons of pointers that a vector loop needs before it"},
    {"reductions", "sums, products, minima and the like"},
    {"exact_reductions", "those of floating point whose order is fixed"},
    {"carried", "other values that an iteration hands to the next one, and "
                "that the vectoriser can cope with"},
};
constexpr size_t LoopFeatureCount = std::size(LoopFeatures);
using LoopNumbers = std::array<float, LoopFeatureCount>;

/// What is known about an innermost loop.
struct LoopFacts {
  LoopNumbers Loop{};
  BodyNumbers Body{};
  /// Whether LLVM's vectoriser may take the loop, and if not, why.
  bool Legal = false;
  std::string Why;
  /// 0: not known, or any number.
  uint64_t MostIterations = 0;
  uint64_t SafeElements = 0;
};

/// Finds out about the loops of a function what LLVM's vectoriser will find
/// out.
///
/// It has scalar evolution, accesses and demanded bits of its own. So the
/// pipeline's analyses stay as they would be if no agent were asked.
class LoopAnalyst {
public:
  LoopAnalyst(llvm::Function &F, llvm::FunctionAnalysisManager &FAM);

  /// Examines a loop of the function's LoopInfo.
  LoopFacts examine(llvm::Loop &L);

private:
  llvm::Function &F;
  llvm::TargetTransformInfo &TTI;
  llvm::TargetLibraryInfo &TLI;
  llvm::AssumptionCache &AC;
  llvm::DominatorTree &DT;
  llvm::LoopInfo &LI;
  llvm::AAResults &AA;
  llvm::ScalarEvolution SE;
  llvm::LoopAccessInfoManager Accesses;
  llvm::DemandedBits Bits;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPFACTS_H
