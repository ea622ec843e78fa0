//===- PolicyTest.cpp -----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "policy/Evaluator.h"
#include "policy/PolicyFile.h"
#include <cfloat>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace mlcompiler::policy;

namespace {

Transform signedLog() {
  Transform T;
  T.K = Transform::Kind::SignedLog;
  return T;
}

Transform scale(std::vector<double> Shift, std::vector<double> Factor) {
  Transform T;
  T.K = Transform::Kind::Scale;
  T.Shift = std::move(Shift);
  T.Factor = std::move(Factor);
  return T;
}

Transform clipTo(float Low, float High) {
  Transform T;
  T.K = Transform::Kind::Clip;
  T.Low = Low;
  T.High = High;
  return T;
}

/// A layer from the features a (2 elements) and b (1 element) to three logits.
Model smallNetwork() {
  Model M;
  M.Inputs = {{"a", 2, {}}, {"b", 1, {}}};
  M.Computes = Function::Network;
  M.Layers = {
      {3, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, -1, -20}, Activation::Identity}};
  M.Decides = Head::Categorical;
  return M;
}

/// x0 <= 1 ? (x1 <= 2 ? 10 : 20) : 30, and 0.5 in any case.
Model smallTrees() {
  Model M;
  M.Inputs = {{"x", 2, {}}};
  M.Computes = Function::Trees;
  M.Base = {0.5};
  M.Trees = {{0,
              {{1, 0, 0, 1, 4},
               {2, 0, 1, 2, 3},
               {0, 10, 0, 0, 0},
               {0, 20, 0, 0, 0},
               {0, 30, 0, 0, 0}}}};
  M.Decides = Head::Scalar;
  M.Low = -100;
  M.High = 100;
  return M;
}

std::string whyNot(const Model &M) {
  std::string Why;
  EXPECT_FALSE(checkModel(M, Why));
  EXPECT_NE(Why, "");
  return Why;
}

std::string file(std::string Contents) {
  std::string File = "MLCGPOL1";
  for (int I = 0; I != 4; ++I)
    File += static_cast<char>(Contents.size() >> (8 * I));
  return File + Contents;
}

std::string whyNotRead(std::string_view File) {
  Policy P;
  std::string Why;
  EXPECT_FALSE(readPolicy(File, P, Why));
  return Why;
}

} // namespace

TEST(Policy, ComputesALayer) {
  std::string Why;
  ASSERT_TRUE(checkModel(smallNetwork(), Why)) << Why;
  Evaluator E(smallNetwork());
  const float Features[] = {1, 0, 2};
  const double *Outputs = E.outputs(Features);
  EXPECT_EQ(Outputs[0], 15);
  EXPECT_EQ(Outputs[1], 17);
  EXPECT_EQ(Outputs[2], 1);
}

TEST(Policy, FindsItsFeaturesAmongOthers) {
  Evaluator E(smallNetwork(), {3, 1});
  const float Features[] = {99, 2, 99, 1, 0};
  EXPECT_EQ(E.outputs(Features)[0], 15);
}

TEST(Policy, TakesTheLikeliestLegalAction) {
  Evaluator E(smallNetwork());
  const float Features[] = {1, 0, 2};
  Decision D;
  ASSERT_EQ(E.decide(Features, nullptr, nullptr, D), nullptr);
  EXPECT_EQ(D.Action, 1);
  EXPECT_NEAR(D.LogProbability, -std::log(1 + std::exp(-2.0) + std::exp(-16.0)),
              1e-14);
  const uint8_t Legal[] = {1, 0, 1};
  ASSERT_EQ(E.decide(Features, Legal, nullptr, D), nullptr);
  EXPECT_EQ(D.Action, 0);
  EXPECT_NEAR(D.LogProbability, -std::log1p(std::exp(-14.0)), 1e-14);
  const uint8_t None[] = {0, 0, 0};
  EXPECT_STREQ(E.decide(Features, None, nullptr, D), "no action is legal");
}

TEST(Policy, SamplesByItsProbabilities) {
  Model M = smallNetwork();
  M.Layers[0].Weights.assign(9, 0);
  M.Layers[0].Biases = {std::log(1.0f), std::log(2.0f), std::log(5.0f)};
  Evaluator E(M);
  const float Features[] = {0, 0, 0};
  const uint8_t Legal[] = {1, 0, 1};
  Random R(7);
  int Counts[3] = {}, Masked[3] = {};
  for (int I = 0; I != 80000; ++I) {
    Decision D;
    ASSERT_EQ(E.decide(Features, nullptr, &R, D), nullptr);
    ++Counts[D.Action];
    ASSERT_EQ(E.decide(Features, Legal, &R, D), nullptr);
    ++Masked[D.Action];
  }
  EXPECT_NEAR(Counts[0], 10000, 400);
  EXPECT_NEAR(Counts[1], 20000, 500);
  EXPECT_EQ(Masked[1], 0);
  EXPECT_NEAR(Masked[0], 80000 / 6.0, 500);
}

TEST(Policy, AsksAnUncertainNetworkAlikeEachTime) {
  Evaluator E(smallNetwork()), Other(smallNetwork());
  Random R(5), Same(5);
  for (int I = 0; I != 100; ++I) {
    const float Features[] = {float(I), 0.1f, -0.5f * I};
    Decision A, B;
    ASSERT_EQ(E.decide(Features, nullptr, &R, A), nullptr);
    ASSERT_EQ(Other.decide(Features, nullptr, &Same, B), nullptr);
    EXPECT_EQ(A.Action, B.Action);
    EXPECT_EQ(A.LogProbability, B.LogProbability);
  }
}

TEST(Policy, TransformsInOrder) {
  Model M;
  M.Inputs = {{"a", 2, {scale({1, 2}, {3}), signedLog(), clipTo(-1, 1.5)}},
              {"b", 1, {}}};
  M.Computes = Function::Network;
  M.Layers = {
      {3, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0}, Activation::Identity}};
  M.Decides = Head::Categorical;
  std::string Why;
  ASSERT_TRUE(checkModel(M, Why)) << Why;
  Evaluator E(M);
  const float Features[] = {2, -8, -7};
  const double *Outputs = E.outputs(Features);
  EXPECT_FLOAT_EQ(Outputs[0], std::log(4.0f));
  EXPECT_EQ(Outputs[1], -1);
  EXPECT_EQ(Outputs[2], -7);
}

TEST(Policy, ActivatesLayers) {
  Model M = smallNetwork();
  M.Layers[0].Function = Activation::Relu;
  const float Features[] = {1, 0, -2};
  EXPECT_EQ(Evaluator(M).outputs(Features)[1], 0);
  M.Layers[0].Function = Activation::Tanh;
  const float Small[] = {0.1f, 0, 0};
  EXPECT_FLOAT_EQ(Evaluator(M).outputs(Small)[0], std::tanh(0.1f));
}

TEST(Policy, CountsWhatIsNoNumberAsZeroAndInfinityAsTheLargest) {
  Model M = smallNetwork();
  M.Layers[0].Weights = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  M.Layers[0].Biases = {0, 0, 0};
  Evaluator E(M);
  const float Inf = std::numeric_limits<float>::infinity();
  const float Features[] = {std::nanf(""), Inf, -Inf};
  const double *Outputs = E.outputs(Features);
  EXPECT_EQ(Outputs[0], 0);
  EXPECT_EQ(Outputs[1], FLT_MAX);
  EXPECT_EQ(Outputs[2], -FLT_MAX);
}

TEST(Policy, RefusesToDecideFromWhatIsNotFinite) {
  Evaluator E(smallNetwork());
  const float Features[] = {FLT_MAX, FLT_MAX, FLT_MAX};
  Decision D;
  EXPECT_STREQ(E.decide(Features, nullptr, nullptr, D),
               "an output of the policy is not a finite number");
}

TEST(Policy, WalksTrees) {
  std::string Why;
  ASSERT_TRUE(checkModel(smallTrees(), Why)) << Why;
  Evaluator E(smallTrees());
  auto Value = [&](float A, float B) {
    const float Features[] = {A, B};
    Decision D;
    EXPECT_EQ(E.decide(Features, nullptr, nullptr, D), nullptr);
    return D.Value;
  };
  EXPECT_EQ(Value(1, 2), 10.5f);
  EXPECT_EQ(Value(1, 2.001f), 20.5f);
  EXPECT_EQ(Value(1.001f, 0), 30.5f);
}

TEST(Policy, DecidesByLogOdds) {
  Model M = smallTrees();
  M.Decides = Head::Bernoulli;
  M.Base = {-20.5};
  Evaluator E(M);
  EXPECT_EQ(E.actions(), 2u);
  Decision D;
  const float Unlikely[] = {0, 0}, Even[] = {0, 3}, Likely[] = {5, 0};
  ASSERT_EQ(E.decide(Unlikely, nullptr, nullptr, D), nullptr);
  EXPECT_EQ(D.Action, 0);
  EXPECT_NEAR(D.LogProbability, -std::log1p(std::exp(-10.5)), 1e-14);
  ASSERT_EQ(E.decide(Likely, nullptr, nullptr, D), nullptr);
  EXPECT_EQ(D.Action, 1);
  M.Base = {-20};
  Evaluator Other(M);
  ASSERT_EQ(Other.decide(Even, nullptr, nullptr, D), nullptr);
  EXPECT_EQ(D.Action, 0);
  EXPECT_NEAR(D.LogProbability, -std::log(2), 1e-14);
}

TEST(Policy, SamplesAScalar) {
  Model M = smallTrees();
  M.HasDeviation = true;
  M.LogDeviation = std::log(2.0f);
  M.High = 33;
  std::string Why;
  ASSERT_TRUE(checkModel(M, Why)) << Why;
  Evaluator E(M);
  Random R(11);
  const float Features[] = {5, 0};
  double Sum = 0;
  for (int I = 0; I != 20000; ++I) {
    Decision D;
    ASSERT_EQ(E.decide(Features, nullptr, &R, D), nullptr);
    ASSERT_LE(D.Value, 33);
    double Z = (D.Value - 30.5) / 2;
    double Density = -Z * Z / 2 - std::log(2 * std::sqrt(2 * M_PI));
    if (D.Value < 33)
      ASSERT_NEAR(D.LogProbability, Density, 1e-5);
    else
      ASSERT_LE(D.LogProbability, Density + 1e-5);
    Sum += D.Value;
  }
  // The average is below the mean because values are cut off above.
  EXPECT_NEAR(Sum / 20000, 30.5 - 0.10, 0.05);
}

TEST(Policy, NamesWhatIsWrongWithANetwork) {
  Model M = smallNetwork();
  M.Layers[0].Weights.pop_back();
  EXPECT_NE(whyNot(M).find("layer 0 has 8 weights"), std::string::npos);
  M = smallNetwork();
  M.Layers[0].Biases[1] = std::nanf("");
  EXPECT_NE(whyNot(M).find("layer 0 is not finite"), std::string::npos);
  M = smallNetwork();
  M.Layers[0].Function = static_cast<Activation>(3);
  whyNot(M);
  M = smallNetwork();
  M.Layers.clear();
  whyNot(M);
  M = smallNetwork();
  M.Inputs[0].Elements = size_t(1) << 31;
  whyNot(M);
  M = smallNetwork();
  M.Inputs[1].Feature = "a";
  EXPECT_EQ(whyNot(M), "two inputs are of the feature a");
  M = smallNetwork();
  M.Inputs[0].Transforms = {scale({1, 2, 3}, {1})};
  whyNot(M);
  M.Inputs[0].Transforms = {clipTo(2, 1)};
  whyNot(M);
  M.Inputs[0].Transforms = {Transform()};
  whyNot(M);
  M = smallNetwork();
  M.Decides = Head::Bernoulli;
  EXPECT_EQ(whyNot(M), "such a head takes 1 output, and the model has 3");
  M.Decides = Head::None;
  whyNot(M);
}

TEST(Policy, NamesWhatIsWrongWithTrees) {
  Model M = smallTrees();
  M.Trees[0].Nodes[1].Left = 1;
  EXPECT_EQ(whyNot(M), "node 1 of tree 0 has a child that is not behind it");
  M = smallTrees();
  M.Trees[0].Nodes[1].Right = 5;
  whyNot(M);
  M = smallTrees();
  M.Trees[0].Nodes[0].Input = 2;
  EXPECT_EQ(whyNot(M), "node 0 of tree 0 compares input 2 of 2");
  M = smallTrees();
  M.Trees[0].Output = 1;
  whyNot(M);
  M = smallTrees();
  M.Trees[0].Nodes.clear();
  whyNot(M);
  M = smallTrees();
  M.Trees[0].Nodes[0].Threshold = std::numeric_limits<double>::infinity();
  whyNot(M);
  M = smallTrees();
  M.Base = {0, 0};
  whyNot(M);
  M = smallTrees();
  M.LogDeviation = 1000;
  whyNot(M);
}

TEST(Policy, ReadsAPolicyByName) {
  Policy P;
  std::string Why;
  ASSERT_TRUE(readPolicy(file("\x0a\x08inlining\x22\x04llvm"), P, Why)) << Why;
  EXPECT_EQ(P.Task, "inlining");
  EXPECT_EQ(P.Builtin, "llvm");
}

TEST(Policy, RefusesWhatIsNoPolicyFile) {
  EXPECT_EQ(whyNotRead(""), "this is not a policy file");
  EXPECT_EQ(whyNotRead("MLCGPOL1"), "this is not a policy file");
  EXPECT_NE(whyNotRead(std::string("MLCGPOL2\0\0\0\0", 12)).find("version"),
            std::string::npos);
  std::string Good = file("\x22\x04llvm");
  EXPECT_EQ(
      whyNotRead(Good.substr(0, Good.size() - 1)),
      "the policy file says that 6 bytes follow its header, and there are 5");
  EXPECT_NE(whyNotRead(file("\x22\x7fllvm")).find("broken"), std::string::npos);
  EXPECT_NE(whyNotRead(file("")).find("neither"), std::string::npos);
}

TEST(Policy, GivesTheSameBitsEverywhere) {
  // FNV-1a of everything that is computed. Builds by two compilers for x86-64,
  // x86-64-v3 and -v4, and AArch64 all gave this value.
  uint64_t Hash = 0xcbf29ce484222325;
  auto Mix = [&Hash](const void *Bytes, size_t Count) {
    for (size_t I = 0; I != Count; ++I)
      Hash =
          (Hash ^ static_cast<const unsigned char *>(Bytes)[I]) * 0x100000001b3;
  };
  Random R(1);
  for (Activation Active : {Activation::Relu, Activation::Tanh}) {
    Model M;
    M.Inputs = {{"x", 100, {signedLog(), scale({}, {})}}};
    for (int I = 0; I != 100; ++I) {
      M.Inputs[0].Transforms[1].Shift.push_back(R.normal());
      M.Inputs[0].Transforms[1].Factor.push_back(R.normal());
    }
    M.Computes = Function::Network;
    M.Decides = Head::Categorical;
    const size_t Widths[] = {100, 37, 12, 3};
    for (int I = 0; I != 3; ++I) {
      Dense L;
      L.Outputs = Widths[I + 1];
      L.Function = I == 2 ? Activation::Identity : Active;
      for (size_t J = 0; J != Widths[I] * Widths[I + 1]; ++J)
        L.Weights.push_back(R.normal() / 6);
      for (size_t J = 0; J != Widths[I + 1]; ++J)
        L.Biases.push_back(R.normal());
      M.Layers.push_back(L);
    }
    Evaluator E(M);
    for (int I = 0; I != 1000; ++I) {
      float Features[100];
      for (float &Feature : Features)
        Feature = R.below(2) ? float(R.normal() * exp(8 * R.uniform())) : 0;
      Decision D;
      ASSERT_EQ(E.decide(Features, nullptr, I % 2 ? &R : nullptr, D), nullptr);
      Mix(&D.Action, sizeof(D.Action));
      Mix(&D.LogProbability, sizeof(D.LogProbability));
      Mix(E.outputs(Features), 3 * sizeof(double));
    }
  }
  EXPECT_EQ(Hash, 10024793937351116296u);
}
