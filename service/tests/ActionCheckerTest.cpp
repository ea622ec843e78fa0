//===- ActionCheckerTest.cpp - Which actions are legal --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ActionChecker.h"
#include "MaskBehindOption.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mlcompiler;

static const std::string First = bytesOf<int64_t>({0});
static const std::string Second = bytesOf<int64_t>({1});

TEST(ActionChecker, KnowsWhatTheMaskAllows) {
  ActionChecker Checker(maskBehindOption());
  Tensors Decision(FeatureLayout(maskBehindOption(), withMore("true")));
  Decision.set<int64_t>("mask", {0, 1});
  std::string Legal;
  Checker.writeLegal(Decision, Legal);
  EXPECT_EQ(Legal, std::string("\0\1", 2));
  EXPECT_FALSE(errorToBool(Checker.check(Second, Decision)));
  EXPECT_EQ(toString(Checker.check(First, Decision)),
            "action 0 is not legal here; legal are: 1");
}

TEST(ActionChecker, AllowsEverythingWithoutAMask) {
  proto::TaskSpec Spec = maskBehindOption();
  Spec.mutable_action()->clear_mask();
  Tensors Decision(FeatureLayout(Spec, proto::Open()));
  Decision.set<int64_t>("mask", {0, 0});
  EXPECT_FALSE(errorToBool(ActionChecker(Spec).check(First, Decision)));
}

TEST(ActionChecker, RefusesWhatIsNoAction) {
  ActionChecker Checker(maskBehindOption());
  EXPECT_EQ(Checker.bytes(), sizeof(int64_t));
  EXPECT_EQ(toString(Checker.check(bytesOf<int64_t>({2}))),
            "action 2 is not in 0..1");
}
