//===- CodeGeneration.h - From an optimised module to code ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CODEGENERATION_H
#define MLCOMPILER_GYM_SERVICE_CODEGENERATION_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace llvm {
class MachineFunction;
class MCContext;
class Module;
class TargetMachine;
namespace legacy {
class PassManagerBase;
}
} // namespace llvm

namespace mlcompiler {

/// What is known of a function once its registers are allocated.
struct AllocatedFunction {
  std::string Name;
  /// LLVM's RegAllocScore of it.
  double Score = 0;
};

/// Takes part in the generation of code.
class CodegenListener {
public:
  virtual ~CodegenListener() = default;

  /// Called before LLVM adds its own passes. An immutable pass that is added
  /// here takes the place of the one that LLVM would add when it is first
  /// required.
  virtual void addPasses(llvm::legacy::PassManagerBase &PM) = 0;

  /// Called when virtual registers have been rewritten to physical ones.
  virtual void functionAllocated(const AllocatedFunction &F) = 0;
};

/// Adds the passes that come after the machine passes. Returns true if the
/// target has none.
using PrinterAdder = llvm::function_ref<bool(
    llvm::TargetMachine &, llvm::legacy::PassManagerBase &, llvm::MCContext &)>;

/// Generates code as `llc` does. \p M cannot be used afterwards. Diagnostics go
/// to its context.
llvm::Error generateCode(llvm::Module &M, llvm::TargetMachine &Target,
                         CodegenListener &Listener, PrinterAdder AddPrinter);

using MachineFunctionVisitor =
    llvm::function_ref<void(const llvm::MachineFunction &)>;

/// Generates code as far as `llc -stop-after=finalize-isel` does, and calls
/// \p Visit with each function. \p M cannot be used afterwards. Diagnostics go
/// to its context.
llvm::Error selectInstructions(llvm::Module &M, llvm::TargetMachine &Target,
                               MachineFunctionVisitor Visit);

/// Turns every function except \p Name into a declaration, so that code is
/// generated for that one alone, and is the same as among the others. Functions
/// whose bodies its code depends on keep them (SeenBodies.h).
llvm::Error keepOnly(llvm::Module &M, llvm::StringRef Name);

/// The suffix that keepOnly() adds to the names of local functions and aliases
/// that it turns into declarations. Under their own names, LLVM could take them
/// for functions of the library.
constexpr llvm::StringLiteral DroppedSuffix = ".elsewhere";

/// The same for several functions, all of which must exist. Local functions and
/// aliases that become declarations get DroppedSuffix.
void keepOnly(llvm::Module &M, const llvm::StringSet<> &Names);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODEGENERATION_H
