//===- Arithmetic.h - exp, log1p, tanh, alike everywhere --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The functions that a policy needs, made of additions, multiplications and
/// divisions alone, which IEEE 754 defines to the bit. The functions of a libc
/// differ from one version to the next. These have no branches, so that loops
/// over them become vector code. Files that include this header must be
/// compiled with -ffp-contract=off. Results are within 3 units in the last
/// place.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_ARITHMETIC_H
#define MLCOMPILER_GYM_SERVICE_POLICY_ARITHMETIC_H

#include <cstdint>
#include <cstring>

namespace mlcompiler {
namespace policy {

/// The constants of a binary floating-point format.
template <typename T> struct Binary;

template <> struct Binary<float> {
  using Bits = uint32_t;
  static constexpr int Mantissa = 23;
  static constexpr Bits Bias = 127;
  /// ln 2 in two parts. Products of the first with small integers are exact.
  static constexpr float Ln2High = 0x1.62e4p-1f;
  static constexpr float Ln2Low = 0x1.7f7d1cp-20f;
  /// Beyond this, exp is too large or too small for a normal number.
  static constexpr float MaxExponent = 87.0f;
  /// How many terms of a series it takes to come below half a unit in the last
  /// place.
  static constexpr int ExpTerms = 8;
  static constexpr int LogTerms = 6;
};

template <> struct Binary<double> {
  using Bits = uint64_t;
  static constexpr int Mantissa = 52;
  static constexpr Bits Bias = 1023;
  static constexpr double Ln2High = 0x1.62e42fefap-1;
  static constexpr double Ln2Low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double MaxExponent = 700.0;
  static constexpr int ExpTerms = 14;
  static constexpr int LogTerms = 12;
};

template <typename T> inline typename Binary<T>::Bits toBits(T Value) {
  typename Binary<T>::Bits Bits;
  std::memcpy(&Bits, &Value, sizeof(T));
  return Bits;
}

template <typename T> inline T fromBits(typename Binary<T>::Bits Bits) {
  T Value;
  std::memcpy(&Value, &Bits, sizeof(T));
  return Value;
}

template <typename T> inline T absolute(T X) {
  return fromBits<T>(toBits(X) &
                     ~(typename Binary<T>::Bits(1) << (8 * sizeof(T) - 1)));
}

/// Returns \p Magnitude, which is not negative, with the sign of \p Sign.
template <typename T> inline T withSign(T Magnitude, T Sign) {
  using Bits = typename Binary<T>::Bits;
  return fromBits<T>(toBits(Magnitude) |
                     (toBits(Sign) & (Bits(1) << (8 * sizeof(T) - 1))));
}

template <typename T> inline T clip(T X, T Low, T High) {
  X = X < Low ? Low : X;
  return X > High ? High : X;
}

/// exp(X) = Scale * (1 + Rest), Scale a power of 2 and |Rest| below 1/2.
template <typename T> struct Exponential {
  T Scale;
  T Rest;

  explicit Exponential(T X) {
    using B = Binary<T>;
    X = clip(X, -B::MaxExponent, B::MaxExponent);
    // Added to a small number, it leaves the nearest integer in the last bits.
    constexpr T Magic = T(typename B::Bits(3) << (B::Mantissa - 1));
    T Shifted = X * T(0x1.71547652b82fep0) + Magic;
    T Integer = Shifted - Magic;
    T R = (X - Integer * B::Ln2High) - Integer * B::Ln2Low;
    T Sum = inverseFactorial(B::ExpTerms);
    for (int I = B::ExpTerms - 1; I != 0; --I)
      Sum = Sum * R + inverseFactorial(I);
    Rest = Sum * R;
    Scale =
        fromBits<T>((toBits(Shifted) - toBits(Magic) + B::Bias) << B::Mantissa);
  }

private:
  static constexpr T inverseFactorial(int N) {
    double Factorial = 1;
    for (int I = 2; I <= N; ++I)
      Factorial *= I;
    return T(1 / Factorial);
  }
};

/// Takes numbers from -700 to 700 (float: from -87 to 87), and the nearest of
/// these for any other number.
template <typename T> inline T exp(T X) {
  Exponential<T> E(X);
  return E.Scale + E.Scale * E.Rest;
}

template <typename T> inline T tanh(T X) {
  // Beyond 22, tanh is 1 to the last bit.
  T Twice = 2 * clip(absolute(X), T(0), T(22));
  Exponential<T> E(Twice);
  T Minus1 = E.Scale * E.Rest + (E.Scale - 1);
  return withSign(Minus1 / (Minus1 + 2), X);
}

/// Takes numbers that are not negative.
template <typename T> inline T log1p(T X) {
  using B = Binary<T>;
  using Bits = typename B::Bits;
  T Sum = 1 + X;
  // What rounding took away, to the first order.
  T Lost = Sum > 2 ? 1 - (Sum - X) : X - (Sum - 1);
  // Sum = 2^Exponent * M, with M in sqrt(1/2) .. sqrt(2).
  constexpr Bits Root =
      sizeof(T) == 4 ? Bits(0x3f3504f3) : Bits(0x3fe6a09e667f3bcdULL);
  constexpr Bits One = B::Bias << B::Mantissa;
  Bits Shifted = toBits(Sum) + (One - Root);
  Bits Raised = Shifted >> B::Mantissa;
  T M = fromBits<T>((Shifted & ((Bits(1) << B::Mantissa) - 1)) + Root);
  constexpr Bits MagicBits = (B::Bias + B::Mantissa) << B::Mantissa;
  // An integer put into the last bits of 2^Mantissa, without a conversion.
  T Exponent =
      fromBits<T>(MagicBits | Raised) - fromBits<T>(MagicBits | Bits(B::Bias));
  T F = M - 1;
  T S = F / (2 + F);
  T Square = S * S;
  T Series = T(1.0 / (2 * B::LogTerms - 1));
  for (int I = B::LogTerms - 2; I != 0; --I)
    Series = Series * Square + T(1.0 / (2 * I + 1));
  // 2 atanh(S) = F - S * (F - 2 Square * Series), since 2 S = F - S F.
  T Small = Exponent * B::Ln2Low + Lost / Sum;
  return Exponent * B::Ln2High +
         (F - (S * (F - 2 * (Square * Series)) - Small));
}

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_ARITHMETIC_H
