//===- PassPipeline.h - Passes over one module ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PASSPIPELINE_H
#define MLCOMPILER_GYM_SERVICE_PASSPIPELINE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include <optional>

namespace llvm {
class Function;
class Module;
class TargetMachine;
} // namespace llvm

namespace mlcompiler {

/// What passes say that they have changed.
struct Changes {
  /// More than the bodies of Functions.
  bool Everything = false;
  llvm::SmallPtrSet<const llvm::Function *, 8> Functions;

  bool any() const { return Everything || !Functions.empty(); }
};

/// Everything that `opt -passes=` sets up around a pipeline. What is run one
/// after the other here is to LLVM one pipeline: analyses live on in between.
class PassPipeline {
public:
  /// \p Tuning says how `default<...>` is put together; without it, that is as
  /// in `opt`. \p Prepare may register analyses before LLVM's own, and so take
  /// their place, and passes at extension points.
  PassPipeline(llvm::Module &M, llvm::TargetMachine &Target,
               const std::optional<llvm::PipelineTuningOptions> &Tuning,
               llvm::function_ref<void(llvm::PassBuilder &,
                                       llvm::ModuleAnalysisManager &)>
                   Prepare);

  /// Fails if \p Text is not a pipeline in the syntax of `opt -passes=`.
  llvm::Error parse(llvm::StringRef Text, llvm::ModulePassManager &Passes);

  Changes run(llvm::ModulePassManager &Passes);

private:
  void noteChange(llvm::StringRef Pass, const llvm::Any &IR,
                  const llvm::PreservedAnalyses &Preserved);

  llvm::Module &M;
  llvm::PassInstrumentationCallbacks Callbacks;
  llvm::StandardInstrumentations Standard;
  llvm::LoopAnalysisManager Loops;
  llvm::FunctionAnalysisManager Functions;
  llvm::CGSCCAnalysisManager SCCs;
  llvm::ModuleAnalysisManager Modules;
  llvm::PassBuilder Builder;
  const bool IsTuned;
  Changes Noted;
};

/// \p Text, which may name passes of any level as `opt -passes=` takes them
/// alone, with the level of each spelled out, so that such texts can be put one
/// behind the other. Neighbours of one level share their manager.
std::string spellOutLevels(llvm::PassBuilder &Builder, llvm::StringRef Text);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PASSPIPELINE_H
