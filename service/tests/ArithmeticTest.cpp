//===- ArithmeticTest.cpp -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "policy/Arithmetic.h"
#include "policy/Random.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mlcompiler;

/// How far \p Got is from \p Right, in units in the last place of a T.
template <typename T> static double ulps(T Got, long double Right) {
  T Rounded = static_cast<T>(Right);
  T Next =
      std::nextafter(std::fabs(Rounded), std::numeric_limits<T>::infinity());
  return std::fabs((Got - Right) / (Next - std::fabs(Rounded)));
}

/// Calls \p Do with evenly spaced floats that are not negative, up to \p Last.
template <typename F> static void forFloats(float Last, F Do) {
  for (uint32_t Bits = 0x00800000; policy::fromBits<float>(Bits) <= Last;
       Bits += 997)
    Do(policy::fromBits<float>(Bits));
}

TEST(Arithmetic, ExpIsThatOfTheLibrary) {
  forFloats(87.0f, [](float X) {
    ASSERT_LE(ulps(policy::exp(X), std::exp((long double)X)), 2) << X;
    ASSERT_LE(ulps(policy::exp(-X), std::exp(-(long double)X)), 2) << X;
  });
  policy::Random R(1);
  for (int I = 0; I != 200000; ++I) {
    double X = 1400 * R.uniform() - 700;
    ASSERT_LE(ulps(policy::exp(X), std::exp((long double)X)), 2) << X;
  }
  EXPECT_EQ(policy::exp(0.0), 1);
  EXPECT_EQ(policy::exp(-1e300), policy::exp(-700.0));
}

TEST(Arithmetic, TanhIsThatOfTheLibrary) {
  forFloats(3e38f, [](float X) {
    ASSERT_LE(ulps(policy::tanh(X), std::tanh((long double)X)), 3) << X;
    ASSERT_EQ(policy::tanh(-X), -policy::tanh(X)) << X;
  });
  EXPECT_EQ(policy::tanh(0.0f), 0);
}

TEST(Arithmetic, Log1pIsThatOfTheLibrary) {
  forFloats(3e38f, [](float X) {
    ASSERT_LE(ulps(policy::log1p(X), std::log1p((long double)X)), 2) << X;
  });
  policy::Random R(2);
  for (int I = 0; I != 200000; ++I) {
    double X = std::exp(800 * R.uniform() - 400);
    ASSERT_LE(ulps(policy::log1p(X), std::log1p((long double)X)), 2) << X;
  }
  EXPECT_EQ(policy::log1p(0.0), 0);
}

TEST(Random, IsSplitMix64) {
  // The first numbers for the seed 1234567, as its authors' program prints
  // them.
  policy::Random R(1234567);
  EXPECT_EQ(R.next(), 6457827717110365317u);
  EXPECT_EQ(R.next(), 3203168211198807973u);
  EXPECT_EQ(R.next(), 9817491932198370423u);
}

TEST(Random, DrawsFromTheDistributionsThatItNames) {
  policy::Random R(3);
  const int Count = 100000;
  double Sum = 0, Squares = 0, Uniform = 0;
  int Below[3] = {};
  for (int I = 0; I != Count; ++I) {
    double Z = R.normal();
    Sum += Z;
    Squares += Z * Z;
    Uniform += R.uniform();
    ++Below[R.below(3)];
  }
  EXPECT_NEAR(Sum / Count, 0, 0.02);
  EXPECT_NEAR(Squares / Count, 1, 0.02);
  EXPECT_NEAR(Uniform / Count, 0.5, 0.005);
  for (int Times : Below)
    EXPECT_NEAR(Times, Count / 3, 1000);
}
