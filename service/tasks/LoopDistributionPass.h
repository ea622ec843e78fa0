//===- LoopDistributionPass.h - Distribution as it is decided ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPASS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPASS_H

#include "LoopDistributionState.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/JSON.h"

namespace mlcompiler {

/// Distributes the innermost loops of a function as a Decider says, loop by
/// loop in the order of the program. It logs what became of each loop.
class DecidedLoopDistributionPass
    : public llvm::PassInfoMixin<DecidedLoopDistributionPass> {
public:
  /// Called with loops of at least two nodes; puts all nodes into groups. The
  /// analyses are those of the function.
  using Decider =
      std::function<void(DistributionState &, llvm::FunctionAnalysisManager &)>;

  /// \p Log must outlive the pass. It gets an object for each loop.
  DecidedLoopDistributionPass(Decider Decide, llvm::json::Array &Log)
      : Decide(std::move(Decide)), Log(Log) {}

  llvm::PreservedAnalyses run(llvm::Function &F,
                              llvm::FunctionAnalysisManager &FAM);

  /// Adds such a pass before the vectoriser, where LLVM has its own
  /// distribution, with the passes that bring loops into the form that it
  /// needs.
  static void install(llvm::PassBuilder &PB, Decider Decide,
                      llvm::json::Array &Log);

private:
  bool distribute(llvm::Loop &L, std::string Name, uint64_t &ArrayBytes,
                  llvm::FunctionAnalysisManager &FAM);

  Decider Decide;
  llvm::json::Array &Log;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONPASS_H
