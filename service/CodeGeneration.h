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

  /// Called before LLVM adds its own passes; immutable passes added here take
  /// the place of those that LLVM would add when they are first required.
  virtual void addPasses(llvm::legacy::PassManagerBase &PM) = 0;

  /// Called when virtual registers have been rewritten to physical ones.
  virtual void functionAllocated(const AllocatedFunction &F) = 0;
};

/// Adds what comes behind the machine passes; returns whether the target
/// cannot.
using PrinterAdder = llvm::function_ref<bool(
    llvm::TargetMachine &, llvm::legacy::PassManagerBase &, llvm::MCContext &)>;

/// Generates code as `llc` does. \p M is used up. Diagnostics go to its
/// context.
llvm::Error generateCode(llvm::Module &M, llvm::TargetMachine &Target,
                         CodegenListener &Listener, PrinterAdder AddPrinter);

using MachineFunctionVisitor =
    llvm::function_ref<void(const llvm::MachineFunction &)>;

/// Generates code as far as `llc -stop-after=finalize-isel` does, and calls \p
/// Visit with each function. \p M is used up. Diagnostics go to its context.
llvm::Error selectInstructions(llvm::Module &M, llvm::TargetMachine &Target,
                               MachineFunctionVisitor Visit);

/// Turns every function but \p Name into a declaration, so that only that one
/// is compiled, to the code that it would have been compiled to among the
/// others. Functions whose bodies count for its code keep them (SeenBodies.h).
llvm::Error keepOnly(llvm::Module &M, llvm::StringRef Name);

/// Stands behind the names of local functions, and of aliases, that have been
/// turned into declarations: a function of another module may be the library's.
constexpr llvm::StringLiteral DroppedSuffix = ".elsewhere";

/// The same for several, all of which there are. What is dropped that no other
/// module sees gets another name.
void keepOnly(llvm::Module &M, const llvm::StringSet<> &Names);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODEGENERATION_H
