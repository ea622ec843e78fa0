//===- EntryCountsTest.cpp - How often functions are entered --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "EntryCounts.h"
#include "gtest/gtest.h"

using namespace mlcompiler;

namespace {

TEST(EntryCountsTest, CallsAreCountedFromTheRoots) {
  // 0 calls 1 ten times and 2 twice; 1 calls 2 three times.
  const auto Counts =
      entryCounts({1, 0, 0}, {{0, 1, 10}, {1, 2, 3}, {0, 2, 2}});
  EXPECT_EQ(Counts, (std::vector<double>{1, 10, 32}));
}

TEST(EntryCountsTest, WhatIsNeverCalledIsNeverEntered) {
  EXPECT_EQ(entryCounts({1, 0, 0}, {{1, 2, 5}}),
            (std::vector<double>{1, 0, 0}));
}

TEST(EntryCountsTest, RecursionThatEndsIsASeries) {
  const auto Counts = entryCounts({1, 0}, {{0, 1, 2}, {1, 1, 0.5}});
  EXPECT_NEAR(Counts[1], 4, 1e-9);
}

TEST(EntryCountsTest, InliningACallIntoItselfChangesNothing) {
  // Half of the calls are left. Each runs a body that is twice as long, less
  // what the inlined copy does not execute.
  const double Before = entryCounts({1}, {{0, 0, 0.5}})[0];
  const double After = entryCounts({1}, {{0, 0, 0.25}})[0] * 1.5;
  EXPECT_NEAR(Before, After, 1e-9);
}

TEST(EntryCountsTest, RecursionWithoutAnEndIsGivenOne) {
  for (double Frequency : {1.0, 2.0, 1000.0}) {
    EXPECT_NEAR(entryCounts({1}, {{0, 0, Frequency}})[0], 10, 1e-6);
    // Two functions that call each other in turn.
    const auto Counts = entryCounts({1, 0}, {{0, 1, Frequency}, {1, 0, 1}});
    EXPECT_GT(Counts[0], 1);
    EXPECT_LT(Counts[0] + Counts[1], 1000);
  }
}

} // namespace
