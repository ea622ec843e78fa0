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
/// same bytes as those tools, exactly.
class Compilation : CodegenListener {
public:
  /// Reads \p Program (bitcode or textual IR) and verifies it.
  static llvm::Expected<std::unique_ptr<Compilation>>
  load(llvm::StringRef Program, const proto::Open &Request);

  /// Checks that \p Text is a pipeline. Nothing is run.
  llvm::Error parsePipeline(llvm::StringRef Text);

  /// Runs the pipeline. \p Prepare may register passes at extension points, and
  /// analyses, which take the place of LLVM's own.
  llvm::Error optimize(llvm::function_ref<void(llvm::PassBuilder &,
                                               llvm::ModuleAnalysisManager &)>
                           Prepare);

  /// Says that nothing will be run after optimize(). This frees its analyses,
  /// which would take memory, and time when the process is forked.
  void endPasses() { Passes.reset(); }

  /// Runs a further pipeline, which must parse, after optimize(). The result is
  /// as if it were part of one pipeline with everything that has been run
  /// before. Returns whether passes say that they have changed anything.
  llvm::Expected<bool> run(llvm::StringRef Text);

  /// From now on, a pass counts as changing the module only if the bitcode
  /// differs, apart from the order of uses.
  void compareExactly() { Fingerprint = fingerprint(); }

  /// Fails if what was changed last does not pass LLVM's verifier. \p What is
  /// named as what changed it.
  llvm::Error verify(const llvm::Twine &What) const;

  /// \p Texts with the level of each pass spelled out; see spellOutLevels().
  /// Fails if one of them is no pipeline.
  llvm::Expected<std::vector<std::string>>
  spellOut(llvm::ArrayRef<std::string> Texts);

  /// The arguments that make `opt` compile in the same way, apart from the
  /// pipeline.
  std::vector<std::string> optArguments() const;

  /// What optimize() ran.
  llvm::StringRef pipeline() const { return Pipeline; }

  /// A number that is never 0 and differs from what it was before if the module
  /// may have changed in between.
  uint64_t version() const { return Version; }
  /// The same for the body of one function.
  uint64_t version(const llvm::Function &F) const;
  /// The same for what code is generated from, where the order of uses also
  /// counts.
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

  /// Bytes in the executable sections of that object file, if they can be found
  /// without it; see CodeSizes.h.
  std::optional<uint64_t> textSize();

  /// Fails if the module lacks a symbol that the program exported when it was
  /// loaded. Its code could then not be compared with the program's. \p What is
  /// named as what dropped the symbol.
  llvm::Error checkExports(const llvm::Twine &What, proto::ErrorCode Code);

  llvm::Module &module() { return *M; }
  llvm::TargetMachine &target() { return *Target; }

  /// From now on, code is generated only for the function called \p Name, or
  /// for all functions if \p Name is empty.
  void generateOnly(llvm::StringRef Name) { OnlyFunction = Name.str(); }

  /// The cpu that the client names; may be empty.
  llvm::StringRef cpu() const { return CPU; }

  /// Called whenever code is about to be generated.
  using PassAdder = std::function<void(llvm::legacy::PassManagerBase &)>;
  void setCodegenPasses(PassAdder Adder) {
    AddCodegenPasses = std::move(Adder);
  }

  /// Sets what is called after registers have been allocated in a function.
  void setAllocatedCallback(std::function<void()> Callback) {
    OnAllocated = std::move(Callback);
  }

  /// Whether code is being generated further up the stack.
  bool isGenerating() const { return Generating; }

  /// The functions whose registers the code generator has allocated, in the
  /// order in which it did so. They are those of the run under way, or of the
  /// last one.
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

  /// The bitcode's hash, once compareExactly() has been called.
  std::optional<Hash> Fingerprint;
  /// What code was generated from last, if Fingerprint is kept.
  std::optional<Hash> CodeSource;
  /// Passes may have changed the order of uses, and nothing else.
  bool UsesInDoubt = false;
  uint64_t Clock = 1;
  /// When the module became what it is.
  uint64_t Version = 1;
  /// When the module last changed in a way that may change its code.
  uint64_t CodeVersion = 1;
  /// When something last changed that may concern all functions.
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
