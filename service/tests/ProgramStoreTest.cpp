//===- ProgramStoreTest.cpp -----------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ProgramStore.h"
#include "llvm/ADT/StringExtras.h"
#include <gtest/gtest.h>

using namespace mlcompiler;

TEST(ProgramStore, NamesAProgramByItsSHA256) {
  ProgramStore Store(1000, 10);
  // The example of FIPS 180-4.
  EXPECT_EQ(llvm::toHex(Store.insert("abc"), /*LowerCase=*/true),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ProgramStore, FindsWhatWasInserted) {
  ProgramStore Store(1000, 10);
  std::string Hash = Store.insert("abc");
  ASSERT_NE(Store.find(Hash), nullptr);
  EXPECT_EQ(*Store.find(Hash), "abc");
  EXPECT_EQ(Store.insert("abc"), Hash);
  EXPECT_EQ(Store.find(std::string(32, 'x')), nullptr);
}

TEST(ProgramStore, DropsTheLeastRecentlyUsedFirst) {
  ProgramStore Store(10, 10);
  std::string First = Store.insert("1111");
  std::string Second = Store.insert("2222");
  ASSERT_NE(Store.find(First), nullptr);
  std::string Third = Store.insert("3333");
  EXPECT_NE(Store.find(First), nullptr);
  EXPECT_EQ(Store.find(Second), nullptr);
  EXPECT_NE(Store.find(Third), nullptr);
}

TEST(ProgramStore, KeepsTheLatestHoweverLarge) {
  ProgramStore Store(10, 10);
  std::string Small = Store.insert("1111");
  std::string Large = Store.insert(std::string(100, 'x'));
  EXPECT_EQ(Store.find(Small), nullptr);
  EXPECT_NE(Store.find(Large), nullptr);
}

TEST(ProgramStore, IsBoundedInNumber) {
  ProgramStore Store(1000, 2);
  std::string First = Store.insert("1");
  std::string Second = Store.insert("2");
  ASSERT_NE(Store.find(First), nullptr);
  std::string Third = Store.insert("3");
  EXPECT_NE(Store.find(First), nullptr);
  EXPECT_EQ(Store.find(Second), nullptr);
  EXPECT_NE(Store.find(Third), nullptr);
}
