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

/// The instructions of one machine basic block, as an assembler would encode
/// them.
struct StreamedBlock {
  llvm::StringRef Function;
  /// What MachineBasicBlock::getNumber() returns.
  unsigned Number;
  /// Executions of the block for each execution of the function.
  double Frequency;
  /// The probability that control leaves it for a block that does not lie
  /// behind it.
  double Taken;
  /// The probability that control leaves it for another successor than the
  /// likeliest.
  double Unlikely;
  llvm::ArrayRef<llvm::MCInst> Instructions;
  const llvm::MCSubtargetInfo &Subtarget;
};

/// Receives blocks. It must outlive the pass manager that they come from.
using BlockConsumer = llvm::function_ref<void(const StreamedBlock &)>;

/// Adds, in place of an assembly printer, a pass that hands over every block
/// with instructions, in the order of the code. Returns true if the target
/// cannot do that.
bool addBlockPrinter(llvm::TargetMachine &Target,
                     llvm::legacy::PassManagerBase &PM,
                     llvm::MCContext &Context, BlockConsumer Consumer);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKSTREAMER_H
