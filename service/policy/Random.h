//===- Random.h - Random numbers, alike everywhere --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_RANDOM_H
#define MLCOMPILER_GYM_SERVICE_POLICY_RANDOM_H

#include "policy/Arithmetic.h"
#include <cmath>
#include <cstdint>

namespace mlcompiler {
namespace policy {

/// Steele, Lea and Flood's SplitMix64. Its whole state is one number, which
/// begins as the seed. So the state passes through forks, sockets and Python.
class Random {
public:
  explicit Random(uint64_t State) : State(State) {}

  uint64_t state() const { return State; }

  uint64_t next() {
    State += 0x9e3779b97f4a7c15;
    uint64_t Z = State;
    Z = (Z ^ (Z >> 30)) * 0xbf58476d1ce4e5b9;
    Z = (Z ^ (Z >> 27)) * 0x94d049bb133111eb;
    return Z ^ (Z >> 31);
  }

  /// A number in 0 .. 1, without 1.
  double uniform() { return double(next() >> 11) * 0x1p-53; }

  /// An integer below \p Count, which is not 0.
  uint64_t below(uint64_t Count) { return uint64_t(uniform() * Count); }

  /// A number of the standard normal distribution, by Marsaglia's polar method.
  double normal() {
    while (true) {
      double X = 2 * uniform() - 1;
      double Y = 2 * uniform() - 1;
      double Square = X * X + Y * Y;
      if (Square >= 1 || Square == 0)
        continue;
      // This is log(Square), with an argument of no less than 1. IEEE 754 also
      // defines sqrt to the bit.
      double Log = -log1p((1 - Square) / Square);
      return X * std::sqrt(-2 * Log / Square);
    }
  }

private:
  uint64_t State;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_RANDOM_H
