//===- Compilation.h - One module on its way to machine code ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_COMPILATION_H
#define MLCOMPILER_GYM_SERVICE_COMPILATION_H

#include "CodeGeneration.h"
#include "Failure.h"
#include "PassPipeline.h"
#include "ShapeStreamer.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Target/TargetMachine.h"
#include <functional>
#include <memory>
#include <string>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// A program, its target, and the pipeline that optimises it: what `opt` and
/// `llc` do, in one process. The same module, options and decisions give the
/// very bytes that those tools write.
class Compilation : CodegenListener {
public:
  /// Reads \p Program (bitcode or textual IR) and verifies it.
  static llvm::Expected<std::unique_ptr<Compilation>>
  load(llvm::StringRef Program, const proto::Open &Request);

  /// Checks that \p Text is a pipeline. Nothing is run.
  llvm::Error parsePipeline(llvm::StringRef Text);

  /// Runs the pipeline. \p Prepare may register analyses before LLVM's own, and
  /// so take their place, and passes at extension points.
  llvm::Error optimize(llvm::function_ref<void(llvm::PassBuilder &,
                                               llvm::ModuleAnalysisManager &)>
                           Prepare);

  /// Says that nothing will be run after optimize(), whose analyses then need
  /// no memory, and no time when the process is forked.
  void endPasses() { Passes.reset(); }

  /// Runs a pipeline that is known to parse, after optimize(), as though it
  /// stood behind everything that has been run before. Returns whether passes
  /// say that they have changed anything.
  llvm::Expected<bool> run(llvm::StringRef Text);

  /// From now on, a pass that says that it has changed the module is believed
  /// only if the module's bitcode is another, the order of uses aside.
  void compareExactly() { Fingerprint = fingerprint(); }

  /// Fails if what was changed last does not pass LLVM's verifier. \p What has
  /// changed it.
  llvm::Error verify(const llvm::Twine &What) const;

  /// \p Texts with the level of each pass spelled out; see spellOutLevels().
  /// Fails if one of them is no pipeline.
  llvm::Expected<std::vector<std::string>>
  spellOut(llvm::ArrayRef<std::string> Texts);

  /// What `opt` must be told, apart from the pipeline, to compile likewise.
  std::vector<std::string> optArguments() const;

  /// What optimize() ran.
  llvm::StringRef pipeline() const { return Pipeline; }

  /// A number that is never 0 and differs from what it was before if the module
  /// may have changed in between.
  uint64_t version() const { return Version; }
  /// The same of the body of one function.
  uint64_t version(const llvm::Function &F) const;
  /// The same of what code is generated from, where the order of uses counts,
  /// too.
  uint64_t codeVersion();

  /// The module as it stands, written out. Leaves the module untouched.
  llvm::Expected<llvm::SmallVector<char, 0>> emit(proto::Emit::Format Format);

  /// Runs the code generator on a copy of the module as it stands.
  llvm::Error generate(PrinterAdder AddPrinter);

  /// Calls \p Visit with each function of the module as it stands once its
  /// instructions are selected; see selectInstructions().
  llvm::Error select(MachineFunctionVisitor Visit);

  /// An object file of the module as it stands, kept until changed() is called.
  llvm::Expected<llvm::StringRef> object();
  void changed();

  /// Bytes in the executable sections of that object file, if they can be told
  /// without it: see CodeSizes.h.
  std::optional<uint64_t> textSize();

  /// Fails if the module lacks a symbol that the program exported when it was
  /// loaded: its code is then not comparable with the program's. \p What
  /// dropped it.
  llvm::Error checkExports(const llvm::Twine &What, proto::ErrorCode Code);

  llvm::Module &module() { return *M; }
  llvm::TargetMachine &target() { return *Target; }

  /// From now on, code is generated for the function called \p Name only; for
  /// all if that is empty.
  void generateOnly(llvm::StringRef Name) { OnlyFunction = Name.str(); }

  /// The cpu that the client names; may be empty.
  llvm::StringRef cpu() const { return CPU; }

  /// Is called whenever code is about to be generated.
  using PassAdder = std::function<void(llvm::legacy::PassManagerBase &)>;
  void setCodegenPasses(PassAdder Adder) {
    AddCodegenPasses = std::move(Adder);
  }

  /// Is called after each function that registers are allocated in.
  void setAllocatedCallback(std::function<void()> Callback) {
    OnAllocated = std::move(Callback);
  }

  /// Whether code is being generated further up the stack.
  bool isGenerating() const { return Generating; }

  /// Functions in the order in which the code generator, now or when it was
  /// last run, was done with their registers.
  llvm::ArrayRef<AllocatedFunction> allocated() const { return Allocated; }

  /// Whether registers are allocated by the optimising allocator.
  bool optimizesRegisters() const {
    return CodegenLevel != llvm::CodeGenOptLevel::None;
  }

private:
  Compilation() = default;

  llvm::SmallVector<char, 0> bitcode();
  llvm::Error generateShapes(const llvm::StringSet<> &Functions,
                             ShapeConsumer Consumer);
  /// Calls \p Generate with a copy of the module that it may use up.
  llvm::Error withCopy(
      llvm::function_ref<llvm::Error(llvm::Module &, llvm::TargetMachine &)>
          Generate);
  void addPasses(llvm::legacy::PassManagerBase &PM) override;
  void functionAllocated(const AllocatedFunction &F) override;

  /// Errors that LLVM reported as diagnostics since the last call.
  llvm::Error takeDiagnostics(llvm::StringRef What);

  llvm::LLVMContext Context;
  std::unique_ptr<llvm::Module> M;
  std::unique_ptr<llvm::TargetMachine> Target;
  std::string CPU;
  std::optional<llvm::PipelineTuningOptions> Tuning;
  proto::CodegenSettings Settings;
  /// If not empty, code is generated for this function only.
  std::string OnlyFunction;
  PassAdder AddCodegenPasses;
  std::function<void()> OnAllocated;
  std::vector<AllocatedFunction> Allocated;
  llvm::CodeGenOptLevel CodegenLevel = llvm::CodeGenOptLevel::Default;
  std::string Pipeline;
  std::unique_ptr<PassPipeline> Passes;
  using Hash = std::pair<uint64_t, uint64_t>;
  Hash fingerprint() const;
  void codeChanged();
  bool isObjectKnown() {
    codeVersion();
    return !Object.empty();
  }

  /// The bitcode's, if that is to be compared.
  std::optional<Hash> Fingerprint;
  /// What code was generated from last, if Fingerprint is kept.
  std::optional<Hash> CodeSource;
  /// Passes may have changed the order of uses, and nothing else.
  bool UsesInDoubt = false;
  uint64_t Clock = 1;
  /// When the module became what it is.
  uint64_t Version = 1;
  /// When its code, for all that is known, became what it is.
  uint64_t CodeVersion = 1;
  /// When something changed last that may concern all functions.
  uint64_t AllSince = 1;
  llvm::DenseMap<const llvm::Function *, uint64_t> FunctionVersions;
  Changes LastChanges;
  std::string Diagnostics;
  std::vector<std::string> Exports;
  /// The version whose exports are known to be complete.
  uint64_t ExportsChecked = 0;
  llvm::SmallVector<char, 0> Object;
  bool Generating = false;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_COMPILATION_H
