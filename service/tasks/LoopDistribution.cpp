//===- LoopDistribution.cpp - One decision per group of statements --------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out how innermost loops are split, as RL-LoopDistribution does (Jain,
/// VenkataKeerthy et al., LLVM-HPC 2022). For each node of the dependence
/// graph, the agent decides whether it joins the current loop or begins a new
/// one. LLVM has no advisor for that, so the analysis and the pass are ours;
/// see LoopDistributionGraph.h.
///
//===----------------------------------------------------------------------===//

#include "DecisionPoint.h"
#include "IR2VecCounts.h"
#include "LoopDistributionFeatures.h"
#include "LoopDistributionPass.h"
#include "LoopReport.h"
#include "SymbolNames.h"
#include "Task.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>

using namespace llvm;
using namespace mlcompiler;

namespace {

constexpr const char *MaskName = "mask";
constexpr const char *EmbeddingName = "ir2vec";
constexpr float Largest = 1e9f;

/// The actions for the first node that is shown.
constexpr int64_t Merge = 0, Distribute = 1;

/// With two agents, at most so many of the nodes that may come next are shown.
/// Later nodes, in the order of the graph, wait.
constexpr unsigned MaxRows = 8;

/// The length of an embedding.
constexpr size_t Dimension = 75;

using FloatElements = Tensors::Elements<float>;

class LoopDistribution : public PipelineTask {
public:
  void apply(LLVMOptions &Process) const override;
  void install(PassBuilder &PB, ModuleAnalysisManager &MAM) override;
  void write(Tensors &To) const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  void declare(TaskOptions &Options) override;
  Error check() override;
  void describe(proto::TaskSpec &Spec) const override;
  std::vector<TensorSpec> features() const;
  void describeAction(proto::ActionSpec &Action) const;
  void decide(DistributionState &State, FunctionAnalysisManager &FAM);
  void writeEmbeddings(ArrayRef<NodeFeatures> Nodes, Tensors &To) const;
  void embed(const BitVector &Of, FloatElements To) const;

  int64_t Agents = 1;
  /// Whether LLVM's own pass also runs.
  bool LLVMDistributes = false;
  /// How many nodes are shown at a time. If it is one, they come in the order
  /// of the graph.
  unsigned Rows = 1;
  bool IsEmbedded = false;
  Seeds Seed;
  const DistributionState *State = nullptr;
  ScalarEvolution *SE = nullptr;
  /// The nodes to choose from.
  std::vector<unsigned> Shown;
};

} // namespace

static TaskRegistry::Add<LoopDistribution>
    X("loop_distribution",
      "Whether the next node of an innermost loop's dependence graph joins the "
      "loop that is being put together or begins a new one.");

void LoopDistribution::declare(TaskOptions &Options) {
  Options.flag(
      "llvm_distribution", LLVMDistributes,
      "whether LLVM's own loop-distribute, which is off in all default "
      "pipelines, runs behind (-enable-loop-distribute)");
  Options.integer(
      "agents", Agents, 1, 2,
      "2: both agents of RL-LoopDistribution, which node comes next "
      "and whether it begins a new loop, in one action");
  Options.flag(EmbeddingName, IsEmbedded,
               "whether to send IR2Vec's embeddings of the loop, the nodes and "
               "the group");
}

Error LoopDistribution::check() {
  Rows = Agents == 1 ? 1 : MaxRows;
  return Error::success();
}

void LoopDistribution::apply(LLVMOptions &Process) const {
  Process.set("enable-loop-distribute", LLVMDistributes ? "true" : "false");
}

/// The features. If several nodes are shown, each has a row.
std::vector<TensorSpec> LoopDistribution::features() const {
  auto OfNodes = [&](const char *Name, int64_t Count) {
    std::vector<int64_t> Shape{Count};
    if (Rows > 1)
      Shape.insert(Shape.begin(), Rows);
    return TensorSpec::createSpec<float>(Name, Shape);
  };
  return {TensorSpec::createSpec<int64_t>(MaskName, {2 * Rows}),
          OfNodes("loop", DecisionFeatureCount),
          OfNodes("node", GroupFeatureCount),
          TensorSpec::createSpec<float>("group", {GroupFeatureCount}),
          OfNodes("merged", GroupFeatureCount),
          TensorSpec::createSpec<float>("loop_ir2vec", {Dimension}),
          OfNodes("node_ir2vec", Dimension),
          TensorSpec::createSpec<float>("group_ir2vec", {Dimension})};
}

void LoopDistribution::describeAction(proto::ActionSpec &Action) const {
  describeTensor(TensorSpec::createSpec<int64_t>("distribute", {1}),
                 *Action.mutable_tensor());
  setBounds(*Action.mutable_tensor(), 0, 2 * Rows - 1);
  Action.mutable_tensor()->set_doc(
      Rows == 1 ? "whether the node begins a new loop"
                : "twice the row of the node that comes next, and 1 more if it "
                  "begins a new loop");
  for (unsigned Row = 0; Row != Rows; ++Row) {
    const std::string Which =
        Rows == 1 ? "" : "row " + std::to_string(Row) + ": ";
    Action.add_meanings(Which + "merge into the current loop");
    Action.add_meanings(Which + "distribute into a new loop");
  }
  Action.set_mask(MaskName);
}

void LoopDistribution::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O3>");
  Spec.set_default_objective("loop_cost");
  // The two programs that are left out have no loop with more than one node.
  Spec.set_default_programs(
      "loops -loops/matrix_product_orders -loops/split_many_arrays");
  Spec.set_default_level("O2");
  // By itself, LLVM distributes nothing, or does so in its own pass.
  Spec.mutable_heuristic()->set_action(Merge);
  Spec.set_inactive_action(Merge);
  Spec.set_active_action(Distribute);
  describeAction(*Spec.mutable_action());

  const std::string OfGroup = " Numbers per iteration: " + list(BodyFeatures) +
                              "; " + list(OwnGroupFeatures);
  const std::string IR2Vec = "IR2Vec's symbolic embedding, of 75 dimensions, "
                             "of the instructions that ";
  const std::string Docs[] = {
      "1: this action is legal; distributing is not if a loop would have to "
      "read what one before it has overwritten",
      list(DecisionFeatures),
      "The node in a loop of its own, with what it needs." + OfGroup,
      "The loop that is being put together." + OfGroup,
      "The two together." + OfGroup,
      IR2Vec + "the loop has as it stands in the program.",
      IR2Vec + "the node in a loop of its own has.",
      IR2Vec + "the loop that is being put together has."};
  for (auto [Feature, Doc] : zip_equal(features(), Docs)) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Feature, Tensor);
    const bool IsVector = StringRef(Feature.name()).ends_with(EmbeddingName);
    setBounds(Tensor, IsVector ? -Largest : 0,
              Feature.name() == MaskName ? 1.0 : Largest);
    Tensor.set_doc(Doc);
    if (IsVector)
      Tensor.set_option(EmbeddingName);
  }
}

void LoopDistribution::install(PassBuilder &PB, ModuleAnalysisManager &) {
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
  SE = &FAM.getResult<ScalarEvolutionAnalysis>(F);
  if (IsEmbedded && !Seed.isLoaded())
    if (Error E = Seed.load(Dimension))
      DecisionPoint::Current->refuse(std::move(E));
  State = &Undecided;
  while (!Undecided.isDone()) {
    // All nodes before the next one in the graph's order have been placed, so
    // it is ready.
    Shown = Rows == 1 ? std::vector<unsigned>{Undecided.placed()}
                      : Undecided.ready();
    if (Shown.size() > Rows)
      Shown.resize(Rows);
    // If only one node can come first, there is no choice.
    const bool IsGiven = !Undecided.placed() && Shown.size() == 1;
    const int64_t Action =
        IsGiven ? Distribute : DecisionPoint::Current->ask<int64_t>();
    const unsigned Node = Shown[Action / 2];
    if (Action % 2)
      Undecided.distribute(Node);
    else
      Undecided.merge(Node);
  }
  State = nullptr;
}

/// The row of node \p Row in a tensor with a row for each node.
static FloatElements rowOf(FloatElements Tensor, size_t Row, size_t Rows) {
  const size_t Width = Tensor.size() / Rows;
  return Tensor.slice(Row * Width, Width);
}

void LoopDistribution::write(Tensors &To) const {
  auto Mask = To.elements<int64_t>(MaskName);
  FloatElements Loop = To.elements<float>("loop");
  FloatElements Node = To.elements<float>("node");
  FloatElements Merged = To.elements<float>("merged");
  std::vector<NodeFeatures> Nodes(Rows);
  for (size_t Row = 0; Row != Rows; ++Row) {
    const bool IsShown = Row < Shown.size();
    Mask[2 * Row] = IsShown && State->mayMerge();
    Mask[2 * Row + 1] = IsShown && State->mayDistribute();
    if (IsShown)
      Nodes[Row] = describeNode(*State, Shown[Row], *SE);
    for (float &Value : Nodes[Row].Decision)
      Value = std::min(Value, Largest);
    copy(Nodes[Row].Decision, rowOf(Loop, Row, Rows).begin());
    copy(Nodes[Row].Node, rowOf(Node, Row, Rows).begin());
    copy(Nodes[Row].Merged, rowOf(Merged, Row, Rows).begin());
  }
  To.set<float>("group", Nodes.front().Group);
  if (IsEmbedded)
    writeEmbeddings(Nodes, To);
}

void LoopDistribution::writeEmbeddings(ArrayRef<NodeFeatures> Nodes,
                                       Tensors &To) const {
  embed(BitVector(State->graph().body().size(), true),
        To.elements<float>("loop_ir2vec"));
  FloatElements OfNodes = To.elements<float>("node_ir2vec");
  for (auto [Row, Node] : enumerate(Nodes))
    embed(Node.NodeBody, rowOf(OfNodes, Row, Rows));
  embed(Nodes.front().GroupBody, To.elements<float>("group_ir2vec"));
}

/// Writes the embedding of instructions, which are given by their places in the
/// body.
void LoopDistribution::embed(const BitVector &Of, FloatElements To) const {
  Counts<unsigned> Found;
  for (unsigned I : Of.set_bits())
    countInstruction(*State->graph().body()[I], Found);
  double Sum[Dimension] = {};
  Found.multiply(Seed, Sum);
  copy(Sum, To.begin());
}

static std::string print(const Instruction &I) {
  std::string Text;
  raw_string_ostream OS(Text);
  I.print(OS);
  return json::fixUTF8(StringRef(Text).trim());
}

json::Object LoopDistribution::describeDecision() const {
  const LoopGraph &G = State->graph();
  json::Array Nodes, Edges, Groups, Next;
  for (unsigned Node : Shown)
    Next.push_back(int64_t(Node));
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
      {"loop", toText(State->name())},
      {"function", toText(G.loop().getHeader()->getParent()->getName())},
      {"next", std::move(Next)},
      {"nodes", std::move(Nodes)},
      {"edges", std::move(Edges)},
      {"groups", std::move(Groups)},
      {"may_distribute", State->mayDistribute()},
      {"checkable_pairs", int64_t(G.checkablePairs().size())}};
}

std::string LoopDistribution::decisionLabel() const {
  std::string Label = (State->name() + " node").str();
  for (unsigned Node : Shown)
    Label += " " + std::to_string(Node);
  return Label;
}
