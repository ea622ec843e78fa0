//===- Compilation.h - One module on its way to machine code ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_COMPILATION_H
#define MLCOMPILER_GYM_SERVICE_COMPILATION_H

#include "Failure.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <string>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// A program, its target, and the pipeline that optimises it: what `opt` and
/// `llc` do, in one process. The same module, options and decisions give the
/// very bytes that those tools write.
class Compilation {
public:
  /// Reads \p Program (bitcode or textual IR) and verifies it.
  static llvm::Expected<std::unique_ptr<Compilation>>
  load(llvm::StringRef Program, const proto::Open &Request);

  /// Checks that \p Text is a pipeline. Nothing is run.
  llvm::Error parsePipeline(llvm::StringRef Text);

  /// Runs the pipeline. \p Prepare may register analyses before LLVM's own, and
  /// so take their place.
  llvm::Error
  optimize(llvm::function_ref<void(llvm::ModuleAnalysisManager &)> Prepare);

  /// The module as it stands, written out. Leaves the module untouched.
  llvm::Expected<llvm::SmallVector<char, 0>> emit(proto::Emit::Format Format);

  /// An object file of the module as it stands, kept until changed() is called.
  llvm::Expected<llvm::StringRef> object();
  void changed() { Object.clear(); }

  /// Fails if the module lacks a symbol that the program exported when it was
  /// loaded: its code is then not comparable with the program's.
  llvm::Error checkExports() const;

  llvm::Module &module() { return *M; }

private:
  Compilation() = default;

  /// Errors that LLVM reported as diagnostics since the last call.
  llvm::Error takeDiagnostics(llvm::StringRef What);

  llvm::LLVMContext Context;
  std::unique_ptr<llvm::Module> M;
  std::unique_ptr<llvm::TargetMachine> Target;
  std::string CPU;
  std::string Pipeline;
  std::string Diagnostics;
  std::vector<std::string> Exports;
  llvm::SmallVector<char, 0> Object;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_COMPILATION_H
