//===- PassPipeline.cpp - Passes over one module --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "PassPipeline.h"
#include "CrashReport.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Analysis/LazyCallGraph.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace mlcompiler;

/// The function that a pass works on or in; null if it works on more.
static const Function *unit(const Any &IR) {
  if (const auto *F = any_cast<const Function *>(&IR))
    return *F;
  if (const auto *L = any_cast<const Loop *>(&IR))
    return (*L)->getHeader()->getParent();
  return nullptr;
}

/// The name of what a pass works on, for a crash report.
static StringRef unitName(const Any &IR) {
  if (const Function *F = unit(IR))
    return F->getName();
  if (const auto *S = any_cast<const LazyCallGraph::SCC *>(&IR))
    return (*S)->begin()->getFunction().getName();
  return "";
}

PassPipeline::PassPipeline(
    Module &M, TargetMachine &Target,
    const std::optional<PipelineTuningOptions> &Tuning,
    function_ref<void(PassBuilder &, ModuleAnalysisManager &)> Prepare)
    : M(M), Standard(M.getContext(), /*DebugLogging=*/false),
      Builder(&Target, Tuning.value_or(PipelineTuningOptions()), std::nullopt,
              &Callbacks),
      IsTuned(Tuning.has_value()) {
  Standard.registerCallbacks(Callbacks, &Modules);
  Callbacks.registerBeforeNonSkippedPassCallback(
      [](StringRef Pass, Any IR) { crash::enterPass(Pass, unitName(IR)); });
  Callbacks.registerAfterPassCallback(
      [this](StringRef Pass, Any IR, const PreservedAnalyses &Preserved) {
        noteChange(Pass, IR, Preserved);
      });
  Callbacks.registerAfterPassInvalidatedCallback(
      [this](StringRef, const PreservedAnalyses &) {
        Noted.Everything = true;
      });
  TargetLibraryInfoImpl Library(M.getTargetTriple());
  Functions.registerPass([Library] { return TargetLibraryAnalysis(Library); });
  Prepare(Builder, Modules);
  Builder.registerModuleAnalyses(Modules);
  Builder.registerCGSCCAnalyses(SCCs);
  Builder.registerFunctionAnalyses(Functions);
  Builder.registerLoopAnalyses(Loops);
  Builder.crossRegisterProxies(Loops, Functions, SCCs, Modules);
}

/// Whether a pass may change attributes, alignments or metadata and yet say
/// that it has kept all analyses, because no analysis looks at those. The list
/// was found by comparing what each pass says with the module's text before and
/// after it.
static bool isSilent(StringRef Pass) {
  return is_contained<StringRef>(
      {"ArgumentPromotionPass", "CalledValuePropagationPass",
       "DeadArgumentEliminationPass", "InferAlignmentPass", "IPSCCPPass",
       "SCCPPass"},
      Pass);
}

void PassPipeline::noteChange(StringRef Pass, const Any &IR,
                              const PreservedAnalyses &Preserved) {
  // Managers and adaptors repeat what the passes within them have said.
  if ((Preserved.areAllPreserved() && !isSilent(Pass)) ||
      isSpecialPass(Pass,
                    {"PassManager", "PassAdaptor", "DevirtSCCRepeatedPass",
                     "ModuleInlinerWrapperPass"}))
    return;
  if (const Function *F = unit(IR))
    Noted.Functions.insert(F);
  else
    Noted.Everything = true;
}

/// The parts of a pipeline between its outermost commas.
static SmallVector<StringRef> splitPipeline(StringRef Text) {
  SmallVector<StringRef> Parts;
  size_t Begin = 0;
  int Depth = 0;
  for (size_t I = 0; I != Text.size(); ++I) {
    if (Text[I] == '(' || Text[I] == '<')
      ++Depth;
    else if (Text[I] == ')' || Text[I] == '>')
      --Depth;
    else if (Text[I] == ',' && Depth == 0) {
      Parts.push_back(Text.slice(Begin, I).trim());
      Begin = I + 1;
    }
  }
  Parts.push_back(Text.substr(Begin).trim());
  return Parts;
}

/// The level of `default<level>`.
static std::optional<OptimizationLevel> defaultLevel(StringRef Pass) {
  return StringSwitch<std::optional<OptimizationLevel>>(Pass)
      .Case("default<O0>", OptimizationLevel::O0)
      .Case("default<O1>", OptimizationLevel::O1)
      .Case("default<O2>", OptimizationLevel::O2)
      .Case("default<O3>", OptimizationLevel::O3)
      .Case("default<Os>", OptimizationLevel::Os)
      .Case("default<Oz>", OptimizationLevel::Oz)
      .Default(std::nullopt);
}

Error PassPipeline::parse(StringRef Text, ModulePassManager &Passes) {
  if (!IsTuned)
    return Builder.parsePassPipeline(Passes, Text);
  for (StringRef Part : splitPipeline(Text))
    // The parser would take the vectorisers that it chooses itself.
    if (auto Level = defaultLevel(Part))
      Passes.addPass(Builder.buildPerModuleDefaultPipeline(*Level));
    else if (Error E = Builder.parsePassPipeline(Passes, Part))
      return E;
  return Error::success();
}

Changes PassPipeline::run(ModulePassManager &Passes) {
  Noted = Changes();
  Passes.run(M, Modules);
  return std::move(Noted);
}

std::string mlcompiler::spellOutLevels(PassBuilder &Builder, StringRef Text) {
  // The level of a pass is that of the innermost manager that knows it.
  // Managers of a call graph also take passes of functions.
  static constexpr StringLiteral Levels[] = {"function(", "function(loop-mssa(",
                                             "function(loop(", "cgscc("};
  std::string Result;
  StringRef Open;
  auto Close = [&] { Result.append(Open.count('('), ')'); };
  for (StringRef Part : splitPipeline(Text)) {
    StringRef Level;
    for (StringRef Candidate : Levels) {
      // Without MemorySSA these passes are a fatal error, and a function's
      // manager does not notice that it is missing.
      const bool NeedsMemorySSA =
          Part.starts_with("licm") || Part.starts_with("lnicm");
      if (Candidate.contains("mssa") != NeedsMemorySSA)
        continue;
      ModulePassManager Unused;
      std::string Closing(Candidate.count('('), ')');
      if (Error E = Builder.parsePassPipeline(
              Unused, (Candidate + Part + Closing).str())) {
        consumeError(std::move(E));
        continue;
      }
      Level = Candidate;
      break;
    }
    if (!Result.empty() && Level == Open && !Open.empty()) {
      Result += ",";
    } else {
      Close();
      if (!Result.empty())
        Result += ",";
      Result += Level;
      Open = Level;
    }
    Result += Part;
  }
  Close();
  return Result;
}
