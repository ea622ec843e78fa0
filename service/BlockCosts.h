//===- BlockCosts.h - What executions of code cost --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_BLOCKCOSTS_H
#define MLCOMPILER_GYM_SERVICE_BLOCKCOSTS_H

#include <array>
#include <cstddef>

namespace mlcompiler {

// X(name, what it counts)
#define MLCOMPILER_COSTS(X)                                                    \
  X(instructions, "instructions")                                              \
  X(micro_ops, "micro-operations")                                             \
  X(throughput, "llvm-mca's block reciprocal throughput, in cycles")           \
  X(latency, "cycles of a block's longest chain of results")                   \
  X(repeated_latency,                                                          \
    "cycles that the chain grows by if the block follows itself")              \
  X(loads, "instructions that load")                                           \
  X(stores, "instructions that store")                                         \
  X(forwarded, "loads that wait for a store to the same address")              \
  X(blocks, "blocks")                                                          \
  X(conditional, "conditional branches")                                       \
  X(jumps, "unconditional and indirect jumps")                                 \
  X(taken, "blocks left for one that does not lie behind them")                \
  X(unpredictable, "branches that the likelier direction misses")              \
  X(calls, "calls")                                                            \
  X(external_calls, "calls of functions of other modules")                     \
  X(returns, "returns")                                                        \
  X(vectors, "instructions on registers of 128 bits or more")                  \
  X(moves, "moves from register to register")                                  \
  X(slow, "cycles of instructions that take 15 or more, such as divisions")

/// What executions of code cost, kind by kind. A sum counts each block as often
/// as it is executed.
struct BlockCosts {
  enum Kind {
#define KIND(Name, Doc) Name,
    MLCOMPILER_COSTS(KIND)
#undef KIND
        Count
  };

  double &operator[](Kind K) { return Values[K]; }
  double operator[](Kind K) const { return Values[K]; }

  void add(const BlockCosts &Other, double Times) {
    for (size_t I = 0; I != Count; ++I)
      Values[I] += Times * Other.Values[I];
  }

  std::array<double, Count> Values = {};
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_BLOCKCOSTS_H
