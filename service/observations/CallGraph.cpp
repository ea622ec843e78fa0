//===- CallGraph.cpp - Who calls whom -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "llvm/Analysis/CallGraph.h"
#include "GraphSource.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

enum class Kind { Definition, Declaration, Intrinsic, Outside };

/// LLVM's own CallGraph, with one edge for all calls of a pair.
class CallGraphSource : public GraphSource {
  void describeColumns(proto::TensorSpec &Nodes,
                       proto::TensorSpec &Edges) const override;
  void build(Module &M, Graph &To) const override;
};

} // namespace

void CallGraphSource::describeColumns(proto::TensorSpec &Nodes,
                                      proto::TensorSpec &Edges) const {
  Nodes.add_shape(6);
  Nodes.set_doc(
      "A row for each function of the module, in its order, one for callers "
      "outside, one for callees unknown. Columns: kind (0 definition, 1 "
      "declaration, 2 intrinsic, 3 the two outside), instructions, basic "
      "blocks, arguments, linkage (GlobalValue::LinkageTypes), uses.");
  Edges.add_shape(1);
  Edges.set_low(1);
  Edges.set_doc("Calls from source to target that llvm::CallGraph records.");
}

static Kind kindOf(const Function &F) {
  if (F.isIntrinsic())
    return Kind::Intrinsic;
  return F.isDeclaration() ? Kind::Declaration : Kind::Definition;
}

/// The name of a function. If it has none, what the printer calls it.
static std::string nameOf(const Function &F, ModuleSlotTracker &Slots) {
  if (F.hasName())
    return F.getName().str();
  std::string Name;
  raw_string_ostream OS(Name);
  F.printAsOperand(OS, /*PrintType=*/false, Slots);
  return Name;
}

void CallGraphSource::build(Module &M, Graph &To) const {
  CallGraph Calls(M);
  ModuleSlotTracker Slots(&M, /*ShouldInitializeAllMetadata=*/false);
  DenseMap<const CallGraphNode *, int64_t> Index;
  std::vector<const CallGraphNode *> InOrder;
  auto add = [&](const CallGraphNode *Node, ArrayRef<int64_t> Columns,
                 std::string Name) {
    Index[Node] = To.addNode(Columns);
    InOrder.push_back(Node);
    To.Names.push_back(std::move(Name));
  };
  for (const Function &F : M)
    add(Calls[&F],
        {static_cast<int64_t>(kindOf(F)), F.getInstructionCount(),
         static_cast<int64_t>(F.size()), static_cast<int64_t>(F.arg_size()),
         F.getLinkage(), F.getNumUses()},
        nameOf(F, Slots));
  add(Calls.getExternalCallingNode(),
      {static_cast<int64_t>(Kind::Outside), 0, 0, 0, 0, 0},
      "<external caller>");
  add(Calls.getCallsExternalNode(),
      {static_cast<int64_t>(Kind::Outside), 0, 0, 0, 0, 0}, "<unknown callee>");

  for (const CallGraphNode *Caller : InOrder) {
    MapVector<const CallGraphNode *, int64_t> Counts;
    for (const CallGraphNode::CallRecord &Call : *Caller)
      ++Counts[Call.second];
    for (const auto &[Callee, Count] : Counts)
      To.addEdge({Count}, Index.lookup(Caller), Index.lookup(Callee));
  }
}

static ObservationRegistry::Add<CallGraphSource>
    X("call_graph", "Which function calls which, and how often, as "
                    "llvm::CallGraph has it; rows names the nodes.");
