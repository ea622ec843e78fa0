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

/// Two choices, of two values and of three, and a mask over all five.
static proto::TaskSpec twoChoices() {
  proto::TaskSpec Spec;
  proto::ActionSpec &Action = *Spec.mutable_action();
  describeTensor(TensorSpec::createSpec<int64_t>("action", {2}),
                 *Action.mutable_tensor());
  Action.set_mask("mask");
  for (int Count : {2, 3}) {
    proto::Choice &Choice = *Action.add_choices();
    Choice.set_name("of " + std::to_string(Count));
    for (int Value = 0; Value != Count; ++Value)
      Choice.add_meanings(std::to_string(Value));
  }
  describeTensor(TensorSpec::createSpec<int64_t>("mask", {5}),
                 *Spec.add_features());
  return Spec;
}

TEST(ActionChecker, ChecksEachOfSeveralChoices) {
  ActionChecker Checker(twoChoices());
  EXPECT_EQ(Checker.bytes(), 2 * sizeof(int64_t));
  EXPECT_FALSE(errorToBool(Checker.check(bytesOf<int64_t>({1, 2}))));
  EXPECT_EQ(toString(Checker.check(bytesOf<int64_t>({2, 0}))),
            "of 2: action 2 is not in 0..1");
  EXPECT_EQ(toString(Checker.check(bytesOf<int64_t>({0, -1}))),
            "of 3: action -1 is not in 0..2");
}

TEST(ActionChecker, TakesTheFlagsOfEachChoiceInTurn) {
  ActionChecker Checker(twoChoices());
  Tensors Decision(FeatureLayout(twoChoices(), proto::Open()));
  Decision.set<int64_t>("mask", {1, 0, 0, 1, 1});
  std::string Legal;
  Checker.writeLegal(Decision, Legal);
  EXPECT_EQ(Legal, std::string("\1\0\0\1\1", 5));
  EXPECT_FALSE(errorToBool(Checker.check(bytesOf<int64_t>({0, 2}), Decision)));
  EXPECT_EQ(toString(Checker.check(bytesOf<int64_t>({1, 2}), Decision)),
            "of 2: action 1 is not legal here; legal are: 0");
  EXPECT_EQ(toString(Checker.check(bytesOf<int64_t>({0, 0}), Decision)),
            "of 3: action 0 is not legal here; legal are: 1, 2");
}
