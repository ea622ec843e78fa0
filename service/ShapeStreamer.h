//===- ShapeStreamer.h - The room that functions take -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SHAPESTREAMER_H
#define MLCOMPILER_GYM_SERVICE_SHAPESTREAMER_H

#include "CodeShape.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llvm {
class MCContext;
class TargetMachine;
namespace legacy {
class PassManagerBase;
}
} // namespace llvm

namespace mlcompiler {

/// Is told the shape of each function; nothing, if there is something in its
/// code that a shape does not describe. What executable sections hold beside
/// functions is told likewise, as that of a function without a name. Outlives
/// the pass manager that the shapes come from.
using ShapeConsumer = llvm::function_ref<void(llvm::StringRef Function,
                                              std::optional<CodeShape> Shape)>;

/// In place of an assembly printer, for ELF: hands over the shape of each
/// function's code. Returns whether the target cannot.
bool addShapePrinter(llvm::TargetMachine &Target,
                     llvm::legacy::PassManagerBase &PM,
                     llvm::MCContext &Context, ShapeConsumer Consumer);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SHAPESTREAMER_H
