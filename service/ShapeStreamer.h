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

/// Receives the shape of each function, or nullopt if its code has something
/// that a shape does not describe. What else is in executable sections comes as
/// the shape of a function without a name. The consumer must outlive the pass
/// manager that the shapes come from.
using ShapeConsumer = llvm::function_ref<void(llvm::StringRef Function,
                                              std::optional<CodeShape> Shape)>;

/// Adds, in place of an assembly printer, a pass that hands over the shape of
/// each function's code. It works for ELF only. Returns true if the target
/// cannot do that.
bool addShapePrinter(llvm::TargetMachine &Target,
                     llvm::legacy::PassManagerBase &PM,
                     llvm::MCContext &Context, ShapeConsumer Consumer);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SHAPESTREAMER_H
