//===- ModelChecks.cpp - Whether a model can be evaluated -----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "policy/PolicyFile.h"
#include <cmath>
#include <set>

using namespace mlcompiler::policy;

namespace {

/// Checks one model. A check that finds a mistake returns false and describes
/// it in Why.
class Checker {
public:
  Checker(const Model &M, std::string &Why) : M(M), Why(Why) {}

  bool check() { return checkInputs() && checkFunction() && checkHead(); }

private:
  bool fail(std::string What) {
    Why = std::move(What);
    return false;
  }
  /// Whether \p Count is in 1 .. \p Limit.
  bool checkCount(size_t Count, size_t Limit, const std::string &What) {
    if (Count >= 1 && Count <= Limit)
      return true;
    return fail(What + " must be 1 to " + std::to_string(Limit) + ", not " +
                std::to_string(Count));
  }
  template <typename T>
  bool checkFinite(const std::vector<T> &List, const std::string &Of) {
    for (T Number : List)
      if (!std::isfinite(Number))
        return fail("a number of " + Of + " is not finite");
    return true;
  }

  bool checkInputs();
  bool checkTransform(const Transform &T, const Input &Of);
  bool checkFunction();
  bool checkNetwork();
  bool checkTrees();
  bool checkTree(const Tree &T, const std::string &Name);
  bool checkHead();

  const Model &M;
  std::string &Why;
  size_t Elements = 0;
};

} // namespace

bool Checker::checkInputs() {
  std::set<std::string> Names;
  for (const Input &I : M.Inputs) {
    if (I.Feature.empty())
      return fail("an input names no feature");
    if (!Names.insert(I.Feature).second)
      return fail("two inputs are of the feature " + I.Feature);
    if (!checkCount(I.Elements, MaxInputElements, "elements of " + I.Feature))
      return false;
    Elements += I.Elements;
    for (const Transform &T : I.Transforms)
      if (!checkTransform(T, I))
        return false;
  }
  return checkCount(Elements, MaxInputElements, "elements of all inputs");
}

bool Checker::checkTransform(const Transform &T, const Input &Of) {
  switch (T.K) {
  case Transform::Kind::None:
    return fail("a transform of " + Of.Feature + " is none that is known here");
  case Transform::Kind::SignedLog:
    return true;
  case Transform::Kind::Scale:
    for (const std::vector<double> *List : {&T.Shift, &T.Factor})
      if (List->size() != 1 && List->size() != Of.Elements)
        return fail("the scale of " + Of.Feature + " has " +
                    std::to_string(List->size()) + " numbers for " +
                    std::to_string(Of.Elements) + " elements");
    return checkFinite(T.Shift, "the scale of " + Of.Feature) &&
           checkFinite(T.Factor, "the scale of " + Of.Feature);
  case Transform::Kind::Clip:
    if (!std::isfinite(T.Low) || !std::isfinite(T.High) || T.Low > T.High)
      return fail("the bounds that " + Of.Feature +
                  " is clipped to are not two numbers in order");
    return true;
  }
  return fail("a transform is none that is known here");
}

bool Checker::checkFunction() {
  switch (M.Computes) {
  case Function::None:
    return fail("the model has no function that is known here");
  case Function::Network:
    return (M.Trees.empty() && M.Base.empty())
               ? checkNetwork()
               : fail("the model has two functions");
  case Function::Trees:
    return M.Layers.empty() ? checkTrees()
                            : fail("the model has two functions");
  }
  return fail("the model has no function that is known here");
}

bool Checker::checkNetwork() {
  if (!checkCount(M.Layers.size(), MaxLayers, "layers"))
    return false;
  size_t Inputs = Elements;
  for (size_t I = 0; I != M.Layers.size(); ++I) {
    const Dense &L = M.Layers[I];
    std::string Name = "layer " + std::to_string(I);
    if (!checkCount(L.Outputs, MaxOutputs, "outputs of " + Name))
      return false;
    if (L.Weights.size() != Inputs * L.Outputs || L.Biases.size() != L.Outputs)
      return fail(Name + " has " + std::to_string(L.Weights.size()) +
                  " weights and " + std::to_string(L.Biases.size()) +
                  " biases; from " + std::to_string(Inputs) + " inputs to " +
                  std::to_string(L.Outputs) + " outputs there are " +
                  std::to_string(Inputs * L.Outputs) + " and " +
                  std::to_string(L.Outputs));
    if (L.Function != Activation::Identity && L.Function != Activation::Relu &&
        L.Function != Activation::Tanh)
      return fail(Name + " has an activation that is not known here");
    if (!checkFinite(L.Weights, Name) || !checkFinite(L.Biases, Name))
      return false;
    Inputs = L.Outputs;
  }
  return true;
}

bool Checker::checkTrees() {
  if (!checkCount(M.Base.size(), MaxOutputs, "outputs of the trees") ||
      !checkFinite(M.Base, "the trees' base"))
    return false;
  size_t Nodes = 0;
  for (size_t I = 0; I != M.Trees.size(); ++I) {
    const Tree &T = M.Trees[I];
    std::string Name = "tree " + std::to_string(I);
    Nodes += T.Nodes.size();
    if (!checkCount(Nodes, MaxNodes, "nodes up to " + Name) ||
        !checkTree(T, Name))
      return false;
  }
  return true;
}

bool Checker::checkTree(const Tree &T, const std::string &Name) {
  if (T.Output >= M.Base.size())
    return fail(Name + " adds to output " + std::to_string(T.Output) + " of " +
                std::to_string(M.Base.size()));
  if (T.Nodes.empty())
    return fail(Name + " has no nodes, or lists of them that differ in length");
  for (size_t I = 0; I != T.Nodes.size(); ++I) {
    const Node &N = T.Nodes[I];
    if (!std::isfinite(N.Threshold) || !std::isfinite(N.Value))
      return fail("a number of " + Name + " is not finite");
    if (N.Left == 0 && N.Right == 0)
      continue;
    // Children lie behind their parent, so that every walk comes to an end.
    if (N.Left <= I || N.Right <= I || N.Left >= T.Nodes.size() ||
        N.Right >= T.Nodes.size())
      return fail("node " + std::to_string(I) + " of " + Name +
                  " has a child that is not behind it");
    if (N.Input >= Elements)
      return fail("node " + std::to_string(I) + " of " + Name +
                  " compares input " + std::to_string(N.Input) + " of " +
                  std::to_string(Elements));
  }
  return true;
}

bool Checker::checkHead() {
  switch (M.Decides) {
  case Head::None:
    return fail("the model has no head that is known here");
  case Head::Categorical:
    return true;
  case Head::Bernoulli:
  case Head::Scalar:
    if (M.outputs() != 1)
      return fail("such a head takes 1 output, and the model has " +
                  std::to_string(M.outputs()));
    if (M.Decides == Head::Bernoulli)
      return true;
    if (!std::isfinite(M.Low) || !std::isfinite(M.High) || M.Low > M.High)
      return fail("the bounds of the action are not two numbers in order");
    // The deviation is then a normal number, and so is its inverse.
    if (!std::isfinite(M.LogDeviation) || std::fabs(M.LogDeviation) > 80)
      return fail(
          "the logarithm of the action's deviation is not in -80 .. 80");
    return true;
  }
  return fail("the model has no head that is known here");
}

bool mlcompiler::policy::checkModel(const Model &M, std::string &Why) {
  return Checker(M, Why).check();
}
