//===- TensorsTest.cpp - What one decision is decided from ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"
#include "MaskBehindOption.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <limits>

using namespace llvm;
using namespace mlcompiler;

static Tensors tensorsOf(const proto::Open &Options) {
  return Tensors(FeatureLayout(maskBehindOption(), Options));
}

static const std::string Mask = bytesOf<int64_t>({0, 1});
static const std::string More = bytesOf<float>({1, 2, 3});

TEST(Tensors, HoldsWhatIsSentAndNothingElse) {
  Tensors Both = tensorsOf(withMore("true"));
  Both.set<int64_t>("mask", {0, 1});
  Both.set<float>("more", {1, 2, 3});
  EXPECT_EQ(Both.bytes(), More + Mask);
  for (const proto::Open &Options : {withMore("false"), proto::Open()}) {
    Tensors Less = tensorsOf(Options);
    Less.set<int64_t>("mask", {0, 1});
    EXPECT_EQ(Less.bytes(), Mask);
  }
}

TEST(Tensors, FindsTheMaskAmongWhatIsSent) {
  for (const char *Value : {"true", "false"}) {
    Tensors Decision = tensorsOf(withMore(Value));
    Decision.set<int64_t>("mask", {0, 1});
    ASSERT_TRUE(Decision.hasMask());
    EXPECT_FALSE(Decision.isLegal(0));
    EXPECT_TRUE(Decision.isLegal(1));
  }
}

TEST(Tensors, LetsLLVMWriteWhatIsSent) {
  Tensors Decision = tensorsOf(withMore("true"));
  // LLVM binds tensors in an order of its own.
  void *Bound = Decision.bind(TensorSpec::createSpec<int64_t>("mask", {1, 2}));
  Decision.set<float>("more", {1, 2, 3});
  Tensors Moved = std::move(Decision);
  std::memcpy(Bound, Mask.data(), Mask.size());
  EXPECT_EQ(Moved.bytes(), More + Mask);
  Moved.checkWritten();
}

TEST(Tensors, ConvertsWhatIsSent) {
  Tensors Decision = tensorsOf(withMore("true"));
  std::string Floats;
  Decision.set<int64_t>("mask", {0, 1});
  Decision.set<float>("more", {1, 2, 3});
  Decision.toFloats(Floats);
  EXPECT_EQ(Floats, bytesOf<float>({1, 2, 3, 0, 1}));
}

TEST(Tensors, MakesNumbersFinite) {
  Tensors Decision = tensorsOf(withMore("true"));
  Decision.set<int64_t>("mask", {-1, 1});
  Decision.set<float>("more", {INFINITY, NAN, 0.5});
  Decision.makeFinite();
  EXPECT_EQ(Decision.bytes(),
            bytesOf<float>({std::numeric_limits<float>::max(), 1, 0.5}) +
                bytesOf<int64_t>({-1, 1}));
}

TEST(TensorsDeathTest, EndsTheProcessForAMistakeInATask) {
  Tensors Decision = tensorsOf(proto::Open());
  const char *NotSent = "'more' is no feature that tested sends";
  EXPECT_DEATH(Decision.set<float>("more", {1, 2, 3}), NotSent);
  EXPECT_DEATH(Decision.bind(TensorSpec::createSpec<float>("more", {3})),
               NotSent);
  EXPECT_DEATH((void)Decision.elements<float>("mask"), "'mask' is no feature");
  EXPECT_DEATH(Decision.set<int64_t>("mask", 1), "'mask' is no feature");
  EXPECT_DEATH(Decision.bind(TensorSpec::createSpec<int64_t>("mask", {3})),
               "'mask' is no feature");
  EXPECT_DEATH(Decision.checkWritten(),
               "feature 'mask' of tested is never written");
}
