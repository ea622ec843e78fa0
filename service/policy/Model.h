//===- Model.h - A policy as it is evaluated --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The messages of policy.proto in memory. That file says what they mean.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_MODEL_H
#define MLCOMPILER_GYM_SERVICE_POLICY_MODEL_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mlcompiler {
namespace policy {

/// The limits of a policy, whose file may come from strangers.
constexpr size_t MaxFileBytes = 16 << 20;
constexpr size_t MaxInputElements = 1 << 14;
constexpr size_t MaxTransforms = 8;
constexpr size_t MaxLayers = 16;
constexpr size_t MaxOutputs = 1 << 12;
constexpr size_t MaxTrees = 1 << 14;
constexpr size_t MaxNodes = 1 << 20;

struct Transform {
  enum class Kind { None, SignedLog, Scale, Clip };
  Kind K = Kind::None;
  std::vector<double> Shift;
  std::vector<double> Factor;
  float Low = 0;
  float High = 0;
};

struct Input {
  std::string Feature;
  size_t Elements = 0;
  std::vector<Transform> Transforms;
};

enum class Activation { Identity = 0, Relu = 1, Tanh = 2 };

struct Dense {
  size_t Outputs = 0;
  std::vector<float> Weights;
  std::vector<float> Biases;
  Activation Function = Activation::Identity;
};

struct Node {
  double Threshold = 0;
  double Value = 0;
  uint32_t Input = 0;
  uint32_t Left = 0;
  uint32_t Right = 0;
};

struct Tree {
  size_t Output = 0;
  std::vector<Node> Nodes;
};

enum class Function { None, Network, Trees };

enum class Head { None, Bernoulli, Categorical, Scalar };

struct Model {
  std::vector<Input> Inputs;
  Function Computes = Function::None;
  std::vector<Dense> Layers;
  std::vector<double> Base;
  std::vector<Tree> Trees;
  Head Decides = Head::None;
  /// The bounds of a scalar head.
  float Low = 0;
  float High = 0;
  bool HasDeviation = false;
  float LogDeviation = 0;

  size_t elements() const {
    size_t Sum = 0;
    for (const Input &I : Inputs)
      Sum += I.Elements;
    return Sum;
  }
  size_t outputs() const {
    return Computes == Function::Trees ? Base.size() : Layers.back().Outputs;
  }
};

struct Policy {
  std::string Task;
  std::vector<std::pair<std::string, std::string>> Options;
  /// Empty if there is a model.
  std::string Builtin;
  policy::Model Model;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_MODEL_H
