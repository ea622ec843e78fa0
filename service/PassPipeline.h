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
  /// Something outside the bodies of Functions may have changed.
  bool Everything = false;
  llvm::SmallPtrSet<const llvm::Function *, 8> Functions;

  bool any() const { return Everything || !Functions.empty(); }
};

/// Everything that `opt -passes=` sets up around a pipeline. Pipelines that are
/// run one after the other are one pipeline to LLVM: analyses live on in
/// between.
class PassPipeline {
public:
  /// \p Tuning says how `default<...>` is put together; without it, as in
  /// `opt`. \p Prepare may register passes at extension points, and analyses,
  /// which take the place of LLVM's own.
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

/// Returns \p Text with the level of each pass spelled out, so that several
/// such texts can be joined. `opt -passes=` takes passes of any level if they
/// all have the same one. Neighbouring passes of one level share a manager.
std::string spellOutLevels(llvm::PassBuilder &Builder, llvm::StringRef Text);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PASSPIPELINE_H
