//===- Interference.cpp - What cannot share a register --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "InterferenceGraph.h"
#include "MachineSeeds.h"
#include "ObservationSource.h"
#include "TensorSpecs.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include <limits>

using namespace llvm;
using namespace mlcompiler;

/// The embedding of a node is behind its numbers.
static constexpr size_t Columns = NodeNumberCount + MachineSeeds::Dimension;

namespace {

class Interference : public ObservationSource {
public:
  void describe(proto::ObservationSpec &Spec) const override;
  Error observe(const ObservationContext &Context,
                proto::Observation &Out) override;

private:
  void embed(const MachineFunction &MF, Register Reg,
             MutableArrayRef<float> To);

  MachineSeeds Seeds;
};

} // namespace

static ObservationRegistry::Add<Interference>
    X("interference",
      "What full register allocation stands at, as a graph of the live ranges "
      "of the function, whose names are in rows. An edge joins two that are "
      "live at the same time and whose classes share a register. Empty in "
      "other tasks. For x86-64 and AArch64.");

void Interference::describe(proto::ObservationSpec &Spec) const {
  Spec.set_media("tensors");
  Spec.set_at_decision_only(true);
  constexpr double Largest = std::numeric_limits<float>::max();
  auto Add = [&](const char *Name, proto::DType Type, int64_t Width, double Low,
                 double High, const std::string &Doc) {
    proto::TensorSpec &Tensor = *Spec.add_tensors();
    Tensor.set_name(Name);
    Tensor.set_dtype(Type);
    Tensor.add_shape(-1);
    Tensor.add_shape(Width);
    setBounds(Tensor, Low, High);
    Tensor.set_doc(Doc);
  };
  Add("nodes", proto::FLOAT32, Columns, -Largest, Largest,
      "A row for each live range, in the order of LLVM's numbers. " +
          list(RangeFeatures) + "; " + list(NodeStateFeatures) +
          "; then the sum of the MIR2Vec embeddings of the instructions that "
          "define or use it.");
  Add("edges", proto::INT64, 1, 1, UINT32_MAX,
      "Registers that the source could have and that overlap one that the "
      "target could have.");
  Add("edge_links", proto::INT64, 2, 0, UINT32_MAX,
      "Source and target of each edge, as indices of nodes; each pair once, "
      "the smaller index first.");
}

/// Writes the sum of the embeddings of the instructions that define or use a
/// register.
void Interference::embed(const MachineFunction &MF, Register Reg,
                         MutableArrayRef<float> To) {
  std::array<double, MachineSeeds::Dimension> Sum{};
  SmallPtrSet<const MachineInstr *, 16> Seen;
  for (const MachineInstr &MI : MF.getRegInfo().reg_nodbg_instructions(Reg))
    if (Seen.insert(&MI).second)
      Seeds.add(MI, Sum);
  llvm::copy(Sum, To.begin());
}

static proto::Tensor &addTensor(const char *Name, proto::DType Type,
                                size_t Rows, size_t Width,
                                proto::Observation &To) {
  proto::Tensor &Tensor = *To.add_tensors();
  Tensor.set_name(Name);
  Tensor.set_dtype(Type);
  Tensor.add_shape(Rows);
  Tensor.add_shape(Width);
  return Tensor;
}

Error Interference::observe(const ObservationContext &Context,
                            proto::Observation &Out) {
  if (Error E = Seeds.load(Context.Compile.module().getTargetTriple()))
    return E;
  const InterferenceGraph Graph =
      Context.Stopped->interference().value_or(InterferenceGraph());
  std::vector<float> Rows(Graph.Nodes.size() * Columns);
  MutableArrayRef<float> Left = Rows;
  for (const InterferenceGraph::Node &Node : Graph.Nodes) {
    llvm::copy(Node.Numbers, Left.begin());
    embed(*Context.Stopped->machineFunction(), Node.VirtualRegister,
          Left.take_front(Columns).drop_front(NodeNumberCount));
    Left = Left.drop_front(Columns);
    Out.add_rows(Node.Name);
  }
  std::vector<int64_t> Shared, Links;
  for (const InterferenceGraph::Edge &Edge : Graph.Edges) {
    Shared.push_back(Edge.Shared);
    Links.insert(Links.end(), {Edge.Source, Edge.Target});
  }
  const size_t Edges = Graph.Edges.size();
  addTensor("nodes", proto::FLOAT32, Graph.Nodes.size(), Columns, Out)
      .set_data(Rows.data(), Rows.size() * sizeof(float));
  addTensor("edges", proto::INT64, Edges, 1, Out)
      .set_data(Shared.data(), Shared.size() * sizeof(int64_t));
  addTensor("edge_links", proto::INT64, Edges, 2, Out)
      .set_data(Links.data(), Links.size() * sizeof(int64_t));
  return Error::success();
}
