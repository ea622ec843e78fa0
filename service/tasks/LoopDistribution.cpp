//===- LoopDistribution.cpp - One decision per group of statements --------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out how innermost loops are split, as RL-LoopDistribution does (Jain,
/// VenkataKeerthy et al., LLVM-HPC 2022): node by node of the dependence graph,
/// whether it joins the loop that is being put together or begins a new one.
/// LLVM has no advisor for that, so the analysis and the pass are ours; see
/// LoopDistributionGraph.h.
///
//===----------------------------------------------------------------------===//

#include "DecisionPoint.h"
#include "LoopDistributionFeatures.h"
#include "LoopDistributionPass.h"
#include "LoopDistributionReport.h"
#include "Task.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <cstring>

using namespace llvm;
using namespace mlcompiler;

json::Array &mlcompiler::loopReport() {
  static json::Array Report;
  return Report;
}

namespace {

constexpr const char *MaskName = "mask";
constexpr const char *OptionName = "llvm_distribution";
constexpr float Largest = 1e9f;

class LoopDistribution : public Task {
public:
  void describe(proto::TaskSpec &Spec) const override;
  Error configure(const StringMap<std::string> &Options) override {
    auto Flag = parseFlag(OptionName, Options.at(OptionName));
    if (!Flag)
      return Flag.takeError();
    return setOption("enable-loop-distribute", Options.at(OptionName));
  }
  void install(PassBuilder &PB) override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  static std::vector<TensorSpec> features();
  void decide(DistributionState &State, FunctionAnalysisManager &FAM);
  bool ask();

  const DistributionState *State = nullptr;
  unsigned Node = 0;
  bool MayDistribute = false;
  bool Announced = false;
  NodeFeatures Numbers;
};

} // namespace

static TaskRegistry::Add<LoopDistribution>
    X("loop_distribution",
      "Whether the next node of an innermost loop's dependence graph joins the "
      "loop that is being put together or begins a new one.");

static std::string list(ArrayRef<FeatureText> Texts) {
  std::string All;
  for (const FeatureText &Text : Texts)
    All += std::string(All.empty() ? "" : "; ") + Text.Name + ": " + Text.Doc;
  return All;
}

std::vector<TensorSpec> LoopDistribution::features() {
  return {TensorSpec::createSpec<int64_t>(MaskName, {2}),
          TensorSpec::createSpec<float>("loop", {DecisionFeatureCount}),
          TensorSpec::createSpec<float>("node", {GroupFeatureCount}),
          TensorSpec::createSpec<float>("group", {GroupFeatureCount}),
          TensorSpec::createSpec<float>("merged", {GroupFeatureCount})};
}

void LoopDistribution::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O3>");
  Spec.set_default_objective("loop_cost");
  proto::ActionSpec &Action = *Spec.mutable_action();
  describeTensor(TensorSpec::createSpec<int64_t>("distribute", {1}),
                 *Action.mutable_tensor());
  setBounds(*Action.mutable_tensor(), 0, 1);
  Action.mutable_tensor()->set_doc("whether the node begins a new loop");
  Action.add_meanings("merge into the current loop");
  Action.add_meanings("distribute into a new loop");
  Action.set_mask(MaskName);

  proto::OptionSpec *Option = Spec.add_options();
  Option->set_name(OptionName);
  Option->set_default_value("false");
  Option->set_doc("whether LLVM's own loop-distribute, which is off in all "
                  "default pipelines, runs behind (-enable-loop-distribute): "
                  "true or false");

  const std::string OfGroup = " Numbers per iteration: " + list(GroupFeatures);
  const std::string Docs[] = {
      "1: this action is legal; distributing is not if a loop would have to "
      "read what one before it has overwritten",
      list(DecisionFeatures),
      "The node in a loop of its own, with what it needs." + OfGroup,
      "The loop that is being put together." + OfGroup,
      "The two together." + OfGroup};
  for (auto [Feature, Doc] : zip_equal(features(), Docs)) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Feature, Tensor);
    setBounds(Tensor, 0, Feature.name() == MaskName ? 1.0 : Largest);
    Tensor.set_doc(Doc);
  }
}

void LoopDistribution::install(PassBuilder &PB) {
  DecidedLoopDistributionPass::install(
      PB,
      [this](DistributionState &State, FunctionAnalysisManager &FAM) {
        decide(State, FAM);
      },
      loopReport());
}

void LoopDistribution::decide(DistributionState &Undecided,
                              FunctionAnalysisManager &FAM) {
  Function &F = *Undecided.graph().loop().getHeader()->getParent();
  auto &SE = FAM.getResult<ScalarEvolutionAnalysis>(F);
  State = &Undecided;
  // There is no choice about the first.
  Undecided.distribute(0);
  for (Node = 1; Node != Undecided.graph().nodes().size(); ++Node) {
    Numbers = describeNode(Undecided, Node, SE);
    MayDistribute = Undecided.mayDistribute();
    if (ask())
      Undecided.distribute(Node);
    else
      Undecided.merge(Node);
  }
  State = nullptr;
}

bool LoopDistribution::ask() {
  if (!Announced)
    DecisionPoint::Current->announce(features());
  Announced = true;
  std::string Bytes;
  auto Append = [&](const auto &Values) {
    Bytes.append(reinterpret_cast<const char *>(Values.data()),
                 Values.size() * sizeof(Values[0]));
  };
  Append(std::array<int64_t, 2>{1, MayDistribute});
  for (DecisionNumbers *D : {&Numbers.Decision})
    for (float &Value : *D)
      Value = std::min(Value, Largest);
  Append(Numbers.Decision);
  Append(Numbers.Node);
  Append(Numbers.Group);
  Append(Numbers.Merged);
  StringRef Action = DecisionPoint::Current->decide(Bytes);
  int64_t Distribute;
  std::memcpy(&Distribute, Action.data(), sizeof(Distribute));
  return Distribute;
}

static std::string print(const Instruction &I) {
  std::string Text;
  raw_string_ostream OS(Text);
  I.print(OS);
  return json::fixUTF8(StringRef(Text).trim());
}

json::Object LoopDistribution::describeDecision() const {
  const LoopGraph &G = State->graph();
  json::Array Nodes, Edges, Groups;
  for (auto [From, N] : enumerate(G.nodes())) {
    json::Array Roots;
    for (unsigned Root : N.Roots)
      Roots.push_back(print(*G.body()[Root]));
    Nodes.push_back(std::move(Roots));
    for (unsigned To = 0; To != G.nodes().size(); ++To)
      if (G.mustPrecede(From, To))
        Edges.push_back(json::Array{int64_t(From), int64_t(To)});
    if (const std::optional<unsigned> &Group = State->partition()[From])
      Groups.push_back(int64_t(*Group));
    else
      Groups.push_back(nullptr);
  }
  return json::Object{
      {"loop", json::fixUTF8(State->name())},
      {"function", json::fixUTF8(G.loop().getHeader()->getParent()->getName())},
      {"node", int64_t(Node)},
      {"nodes", std::move(Nodes)},
      {"edges", std::move(Edges)},
      {"groups", std::move(Groups)},
      {"may_distribute", MayDistribute},
      {"checkable_pairs", int64_t(G.checkablePairs().size())}};
}

std::string LoopDistribution::decisionLabel() const {
  return (State->name() + " node " + Twine(Node)).str();
}
