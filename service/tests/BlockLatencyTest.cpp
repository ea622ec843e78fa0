//===- BlockLatencyTest.cpp - How long instructions wait ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockLatency.h"
#include "gtest/gtest.h"

using namespace mlcompiler;

namespace {

TimedInstruction add(unsigned From, unsigned To, unsigned Latency) {
  TimedInstruction I;
  I.Reads = {{From, 0}};
  I.Writes = {{To, Latency}};
  I.Latency = Latency;
  return I;
}

TimedInstruction load(unsigned Base, uint64_t Offset, unsigned To) {
  TimedInstruction I = add(Base, To, 5);
  I.Loads = true;
  I.Address = Offset;
  I.AddressRegisters = {Base};
  return I;
}

TimedInstruction store(unsigned From, unsigned Base, uint64_t Offset) {
  TimedInstruction I;
  I.Reads = {{From, 0}, {Base, 0}};
  I.Latency = 1;
  I.Stores = true;
  I.Address = Offset;
  I.AddressRegisters = {Base};
  return I;
}

TEST(BlockLatencyTest, ResultsAreWaitedFor) {
  const BlockLatency Chain = timeBlock({add(1, 2, 3), add(2, 3, 4)});
  EXPECT_EQ(Chain.Once, 7);
  EXPECT_EQ(Chain.Repeated, 0);
  const BlockLatency Apart = timeBlock({add(1, 2, 3), add(4, 3, 4)});
  EXPECT_EQ(Apart.Once, 4);
}

TEST(BlockLatencyTest, AnExecutionWaitsForTheOneBefore) {
  EXPECT_EQ(timeBlock({add(1, 1, 3), add(1, 2, 4)}).Repeated, 3);
}

TEST(BlockLatencyTest, WhatIsCombinedWithALoadIsNeededLater) {
  // A sum of loaded values, in which each addition waits only for the one
  // before.
  TimedInstruction Sum = add(9, 1, 6);
  Sum.Reads.push_back({1, 5});
  EXPECT_EQ(timeBlock({Sum}).Once, 6);
  EXPECT_EQ(timeBlock({Sum}).Repeated, 1);
}

TEST(BlockLatencyTest, ALoadWaitsForTheStoreThatItReadsFrom) {
  // A counter in memory, as in unoptimised code.
  const BlockLatency Same =
      timeBlock({load(9, 8, 1), add(1, 1, 1), store(1, 9, 8)});
  EXPECT_EQ(Same.Once, 7);
  EXPECT_EQ(Same.Repeated, 7);
  EXPECT_EQ(Same.Forwarded, 1u);
  const BlockLatency Other =
      timeBlock({load(9, 8, 1), add(1, 1, 1), store(1, 9, 16)});
  EXPECT_EQ(Other.Repeated, 0);
  EXPECT_EQ(Other.Forwarded, 0u);
}

TEST(BlockLatencyTest, AnAddressMovesWithItsRegister) {
  // The same, with a pointer that moves on.
  const BlockLatency Moved =
      timeBlock({load(9, 8, 1), add(1, 1, 1), store(1, 9, 8), add(9, 9, 1)});
  EXPECT_EQ(Moved.Repeated, 1);
  EXPECT_EQ(Moved.Forwarded, 0u);
}

TEST(BlockLatencyTest, NothingTakesNoTime) {
  EXPECT_EQ(timeBlock({}).Once, 0);
  EXPECT_EQ(timeBlock({}).Repeated, 0);
}

} // namespace
