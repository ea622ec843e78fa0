//===- GivenActionsTest.cpp - Actions that wait for their decisions -------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "GivenActions.h"
#include "MaskBehindOption.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class GivenActionsTest : public testing::Test {
protected:
  /// The action that is taken at a decision with \p Mask, or the error.
  std::string take(std::initializer_list<int64_t> Mask) {
    Decision.set<int64_t>("mask", Mask);
    auto Taken = Given.take(Checker, Decision);
    return Taken ? Taken->str() : toString(Taken.takeError());
  }
  std::string give(const std::string &Bytes) {
    return toString(Given.give(Bytes, Checker));
  }

  const ActionChecker Checker{maskBehindOption()};
  Tensors Decision{FeatureLayout(maskBehindOption(), proto::Open())};
  GivenActions Given;
};

} // namespace

TEST_F(GivenActionsTest, HandsOutOneAfterTheOther) {
  EXPECT_TRUE(Given.empty());
  EXPECT_EQ(give(bytesOf<int64_t>({1, 0})), "");
  EXPECT_EQ(take({1, 1}), bytesOf<int64_t>({1}));
  EXPECT_FALSE(Given.empty());
  EXPECT_EQ(take({1, 0}), bytesOf<int64_t>({0}));
  EXPECT_TRUE(Given.empty());
}

TEST_F(GivenActionsTest, RefusesThemTogether) {
  EXPECT_EQ(give(bytesOf<int64_t>({1})), "");
  EXPECT_EQ(give(bytesOf<int64_t>({0, 2})), "action 2 is not in 0..1");
  EXPECT_EQ(give("12345678abc"),
            "an action has 8 bytes, and 11 bytes are not a number of them");
  EXPECT_EQ(take({1, 1}), bytesOf<int64_t>({1}));
}

TEST_F(GivenActionsTest, DropsWhatIsBehindAnIllegalOne) {
  EXPECT_EQ(give(bytesOf<int64_t>({0, 1})), "");
  EXPECT_EQ(take({0, 1}), "action 0 is not legal here; legal are: 1");
  EXPECT_TRUE(Given.empty());
}
