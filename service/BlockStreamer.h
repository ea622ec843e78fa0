//===- BlockStreamer.h - Machine code, block by block -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_BLOCKSTREAMER_H
#define MLCOMPILER_GYM_SERVICE_BLOCKSTREAMER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

namespace llvm {
class MCContext;
class MCInst;
class MCSubtargetInfo;
class TargetMachine;
namespace legacy {
class PassManagerBase;
}
} // namespace llvm

namespace mlcompiler {

/// The instructions of one machine basic block as they would be encoded.
struct StreamedBlock {
  llvm::StringRef Function;
  /// As MachineBasicBlock::getNumber() says it.
  unsigned Number;
  /// How often it is executed for each time that the function is.
  double Frequency;
  /// Probability that it is left for a block that does not lie behind it.
  double Taken;
  /// Probability of what is left for if the likeliest successor is not.
  double Unlikely;
  llvm::ArrayRef<llvm::MCInst> Instructions;
  const llvm::MCSubtargetInfo &Subtarget;
};

/// Outlives the pass manager that the blocks come from.
using BlockConsumer = llvm::function_ref<void(const StreamedBlock &)>;

/// In place of an assembly printer: hands over every block that has
/// instructions, in the order of the code. Returns whether the target cannot.
bool addBlockPrinter(llvm::TargetMachine &Target,
                     llvm::legacy::PassManagerBase &PM,
                     llvm::MCContext &Context, BlockConsumer Consumer);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKSTREAMER_H
