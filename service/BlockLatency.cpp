//===- BlockLatency.cpp - How long instructions wait ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockLatency.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/Hashing.h"
#include <algorithm>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// A machine that begins an instruction as soon as everything that it reads is
/// ready.
class Machine {
public:
  /// Executes the block once more, and returns the cycle in which everything is
  /// done.
  double execute(ArrayRef<TimedInstruction> Block) {
    Forwarded = 0;
    for (const TimedInstruction &Each : Block)
      execute(Each);
    return Done;
  }

  unsigned forwarded() const { return Forwarded; }

private:
  struct Register {
    double Ready = 0;
    /// How often the register has been written.
    unsigned Writes = 0;
  };

  uint64_t address(const TimedInstruction &I) {
    hash_code Hash = hash_value(I.Address);
    for (unsigned Each : I.AddressRegisters)
      Hash = hash_combine(Hash, Registers[Each].Writes);
    // A DenseMap keeps the two largest numbers for itself.
    return static_cast<uint64_t>(Hash) >> 1;
  }

  void execute(const TimedInstruction &I) {
    double Begin = 0;
    for (auto [Number, Later] : I.Reads)
      Begin = std::max(Begin, Registers[Number].Ready - Later);
    const uint64_t Address = I.Loads || I.Stores ? address(I) : 0;
    if (I.Loads)
      if (auto Found = Stored.find(Address); Found != Stored.end()) {
        Begin = std::max(Begin, Found->second);
        ++Forwarded;
      }
    for (auto [Number, Latency] : I.Writes) {
      Register &Written = Registers[Number];
      Written.Ready = Begin + Latency;
      ++Written.Writes;
    }
    if (I.Stores)
      Stored[Address] = Begin + I.Latency;
    Done = std::max(Done, Begin + I.Latency);
  }

  DenseMap<unsigned, Register> Registers;
  /// The cycle in which what was stored at an address is ready.
  DenseMap<uint64_t, double> Stored;
  double Done = 0;
  unsigned Forwarded = 0;
};

} // namespace

BlockLatency mlcompiler::timeBlock(ArrayRef<TimedInstruction> Block) {
  Machine M;
  BlockLatency Result;
  Result.Once = M.execute(Block);
  const double Second = M.execute(Block);
  Result.Repeated = M.execute(Block) - Second;
  Result.Forwarded = M.forwarded();
  return Result;
}
