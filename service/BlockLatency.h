//===- BlockLatency.h - How long instructions wait --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_BLOCKLATENCY_H
#define MLCOMPILER_GYM_SERVICE_BLOCKLATENCY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <utility>

namespace mlcompiler {

/// How long an instruction takes, which registers it waits for, and when others
/// may read its results.
struct TimedInstruction {
  /// The registers that it reads. Any number may name a register. The second
  /// element is how many cycles later than the others this one is needed.
  llvm::SmallVector<std::pair<unsigned, int>, 8> Reads;
  /// The registers that it writes, and the cycles until each has its value.
  llvm::SmallVector<std::pair<unsigned, unsigned>, 4> Writes;
  /// Cycles until the whole instruction is done.
  unsigned Latency = 0;
  bool Loads = false;
  bool Stores = false;
  /// Identifies the address, apart from the registers in it.
  uint64_t Address = 0;
  llvm::SmallVector<unsigned, 4> AddressRegisters;
};

/// Cycles that a block takes if instructions wait only for results of others,
/// never for a unit of the processor.
struct BlockLatency {
  /// Cycles of one execution, until its last instruction is done.
  double Once = 0;
  /// Cycles that each further execution adds if the block follows itself.
  double Repeated = 0;
  /// Loads of an execution that wait for a store to the same address, in the
  /// same execution or the one before.
  unsigned Forwarded = 0;
};

/// Times a block. Unlike llvm-mca's throughput, this knows that a load waits
/// for the store whose value it reads, which unoptimised code does all the
/// time. Two addresses count as the same if they are written alike and no
/// register in them has changed in between. Other equal addresses are not
/// recognised.
BlockLatency timeBlock(llvm::ArrayRef<TimedInstruction> Block);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKLATENCY_H
