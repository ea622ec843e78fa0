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

/// What an instruction waits for, and what waits for it.
struct TimedInstruction {
  /// Registers, as any numbers that name them, and how many cycles later than
  /// the others each is needed.
  llvm::SmallVector<std::pair<unsigned, int>, 8> Reads;
  /// Registers, and cycles until each has its value.
  llvm::SmallVector<std::pair<unsigned, unsigned>, 4> Writes;
  /// Cycles until all of it is done.
  unsigned Latency = 0;
  bool Loads = false;
  bool Stores = false;
  /// Stands for all of the address but the registers in it.
  uint64_t Address = 0;
  llvm::SmallVector<unsigned, 4> AddressRegisters;
};

/// Cycles that a block takes where nothing but its results is waited for.
struct BlockLatency {
  /// From its beginning until everything is done.
  double Once = 0;
  /// What each further execution adds if one comes right behind the other.
  double Repeated = 0;
  /// How many loads of an execution wait for a store to the same address, its
  /// own or that of the execution before.
  unsigned Forwarded = 0;
};

/// Unlike llvm-mca's throughput, this knows that a load waits for the store
/// that it reads from, as unoptimised code does all the time. Addresses are
/// the same if they are written alike and no register in them has changed;
/// that others are the same is not seen.
BlockLatency timeBlock(llvm::ArrayRef<TimedInstruction> Block);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKLATENCY_H
