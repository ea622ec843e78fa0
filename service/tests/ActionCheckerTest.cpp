//===- ActionCheckerTest.cpp - Which actions are legal --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ActionChecker.h"
#include "FeatureLayout.h"
#include "TensorSpecs.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mlcompiler;

/// A task of two actions, whose mask comes after a feature that "more" adds.
static proto::TaskSpec maskBehindOption() {
  proto::TaskSpec Spec;
  describeTensor(TensorSpec::createSpec<int64_t>("action", {1}),
                 *Spec.mutable_action()->mutable_tensor());
  Spec.mutable_action()->add_meanings("first");
  Spec.mutable_action()->add_meanings("second");
  Spec.mutable_action()->set_mask("mask");
  proto::TensorSpec &More = *Spec.add_features();
  describeTensor(TensorSpec::createSpec<float>("more", {3}), More);
  More.set_option("more");
  describeTensor(TensorSpec::createSpec<int64_t>("mask", {2}),
                 *Spec.add_features());
  return Spec;
}

static proto::Open withMore(const char *Value) {
  proto::Open Options;
  proto::Option &More = *Options.add_options();
  More.set_name("more");
  More.set_value(Value);
  return Options;
}

template <typename T> static std::string bytesOf(std::initializer_list<T> Row) {
  return std::string(reinterpret_cast<const char *>(Row.begin()),
                     Row.size() * sizeof(T));
}

static const std::string First = bytesOf<int64_t>({0});
static const std::string Second = bytesOf<int64_t>({1});
static const std::string Mask = bytesOf<int64_t>({0, 1});
static const std::string More = bytesOf<float>({1, 2, 3});

static void expectSecondOnly(const proto::Open &Options,
                             const std::string &Features) {
  ActionChecker Checker(maskBehindOption(), Options);
  ASSERT_TRUE(Checker.hasMask());
  std::string Legal;
  Checker.writeLegal(Features, Legal);
  EXPECT_EQ(Legal, std::string("\0\1", 2));
  EXPECT_FALSE(errorToBool(Checker.check(Second, Features)));
  EXPECT_EQ(toString(Checker.check(First, Features)),
            "action 0 is not legal here; legal are: 1");
}

TEST(ActionChecker, FindsTheMaskAmongWhatIsSent) {
  expectSecondOnly(withMore("true"), More + Mask);
  expectSecondOnly(withMore("false"), Mask);
  expectSecondOnly(proto::Open(), Mask);
}

TEST(ActionChecker, RefusesWhatIsNoAction) {
  ActionChecker Checker(maskBehindOption(), proto::Open());
  EXPECT_EQ(Checker.bytes(), sizeof(int64_t));
  EXPECT_EQ(toString(Checker.check(bytesOf<int64_t>({2}))),
            "action 2 is not in 0..1");
}

TEST(FeatureLayout, ConvertsWhatIsSent) {
  std::string Floats;
  FeatureLayout(maskBehindOption(), withMore("true"))
      .toFloats(More + Mask, Floats);
  EXPECT_EQ(Floats, bytesOf<float>({1, 2, 3, 0, 1}));
  FeatureLayout(maskBehindOption(), proto::Open()).toFloats(Mask, Floats);
  EXPECT_EQ(Floats, bytesOf<float>({0, 1}));
}
