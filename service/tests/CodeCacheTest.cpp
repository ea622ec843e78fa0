//===- CodeCacheTest.cpp --------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeCache.h"
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlcompiler;

static CodeKey key(uint8_t First, uint8_t Last = 0) {
  CodeKey Key{};
  Key.front() = First;
  Key.back() = Last;
  return Key;
}

TEST(CodeCache, FindsWhatWasInserted) {
  CodeCache Cache(1 << 16);
  ASSERT_TRUE(Cache.isOn());
  EXPECT_EQ(Cache.find(key(1)), std::nullopt);
  Cache.insert(key(1), "one");
  Cache.insert(key(2), "");
  Cache.insert(key(1, 1), "another");
  EXPECT_EQ(Cache.find(key(1)), "one");
  EXPECT_EQ(Cache.find(key(2)), "");
  EXPECT_EQ(Cache.find(key(1, 1)), "another");
  EXPECT_EQ(Cache.find(key(1, 2)), std::nullopt);
}

TEST(CodeCache, IsBoundedAndForgetsTheOldest) {
  // The cache has one bucket in addition to the head.
  CodeCache Cache(8192);
  const std::string Value(900, 'x');
  for (uint8_t I = 0; I != 40; ++I)
    Cache.insert(key(I), Value);
  size_t Kept = 0;
  for (uint8_t I = 0; I != 40; ++I)
    Kept += Cache.find(key(I)).has_value();
  EXPECT_GE(Kept, 3u);
  EXPECT_LE(Kept, 4u);
  EXPECT_EQ(Cache.find(key(39)), Value);
  EXPECT_EQ(Cache.find(key(0)), std::nullopt);
}

TEST(CodeCache, KeepsNothingThatDoesNotFit) {
  CodeCache Cache(8192);
  Cache.insert(key(1), "one");
  Cache.insert(key(2), std::string(5000, 'x'));
  EXPECT_EQ(Cache.find(key(1)), "one");
  EXPECT_EQ(Cache.find(key(2)), std::nullopt);
}

TEST(CodeCache, IsOffWithoutRoom) {
  CodeCache Cache(0);
  EXPECT_FALSE(Cache.isOn());
  Cache.insert(key(1), "one");
  EXPECT_EQ(Cache.find(key(1)), std::nullopt);
  Cache.count({1, 1, 1});
  EXPECT_EQ(Cache.counts().Found, 0u);
}

TEST(CodeCache, IsSharedWithForks) {
  CodeCache Cache(1 << 16);
  const pid_t Child = fork();
  if (Child == 0) {
    Cache.insert(key(1), "one");
    Cache.count({1, 2, 3});
    _exit(0);
  }
  int Status = 0;
  ASSERT_EQ(waitpid(Child, &Status, 0), Child);
  EXPECT_EQ(Cache.find(key(1)), "one");
  EXPECT_EQ(Cache.counts().Generated, 2u);
}

// Many processes overwrite each other's entries, and every entry that is found
// is right.
TEST(CodeCache, FindsNothingTorn) {
  CodeCache Cache(8192);
  auto ValueOf = [](uint8_t I) { return std::string(100 + 7 * I, char(I)); };
  std::vector<pid_t> Children;
  for (int Child = 0; Child != 4; ++Child) {
    const pid_t Pid = fork();
    if (Pid == 0) {
      for (int Round = 0; Round != 20000; ++Round) {
        const uint8_t I = (Round * 13 + Child * 5) % 64;
        if (auto Found = Cache.find(key(I)); Found && *Found != ValueOf(I))
          _exit(1);
        Cache.insert(key(I), ValueOf(I));
      }
      _exit(0);
    }
    Children.push_back(Pid);
  }
  for (const pid_t Child : Children) {
    int Status = 0;
    ASSERT_EQ(waitpid(Child, &Status, 0), Child);
    EXPECT_EQ(Status, 0);
  }
}
