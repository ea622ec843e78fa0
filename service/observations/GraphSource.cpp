//===- GraphSource.cpp - The module as a graph ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "GraphSource.h"
#include "SymbolNames.h"

using namespace llvm;
using namespace mlcompiler;

int64_t Graph::addNode(ArrayRef<int64_t> Columns) {
  Nodes.insert(Nodes.end(), Columns.begin(), Columns.end());
  return NodeCount++;
}

void Graph::addEdge(ArrayRef<int64_t> Columns, int64_t Source, int64_t Target) {
  Edges.insert(Edges.end(), Columns.begin(), Columns.end());
  Links.insert(Links.end(), {Source, Target});
}

void GraphSource::describe(proto::ObservationSpec &Spec) const {
  Spec.set_media("tensors");
  for (const char *Name : {"nodes", "edges", "edge_links"}) {
    proto::TensorSpec &Tensor = *Spec.add_tensors();
    Tensor.set_name(Name);
    Tensor.set_dtype(proto::INT64);
    Tensor.add_shape(-1);
    Tensor.set_high(UINT32_MAX);
  }
  describeColumns(*Spec.mutable_tensors(0), *Spec.mutable_tensors(1));
  proto::TensorSpec &Links = *Spec.mutable_tensors(2);
  Links.add_shape(2);
  Links.set_doc("Source and target of each edge, as indices of nodes.");
}

Error GraphSource::observe(const ObservationContext &Context,
                           proto::Observation &Out) {
  if (Version != Context.Compile.version()) {
    Graph Built;
    build(Context.Compile.module(), Built);
    proto::ObservationSpec Spec;
    describe(Spec);
    Known.Clear();
    const std::vector<int64_t> *Values[] = {&Built.Nodes, &Built.Edges,
                                            &Built.Links};
    for (const auto &[Described, From] : zip_equal(Spec.tensors(), Values)) {
      proto::Tensor &Tensor = *Known.add_tensors();
      Tensor.set_name(Described.name());
      Tensor.set_dtype(Described.dtype());
      const int64_t Columns = Described.shape(1);
      Tensor.add_shape(static_cast<int64_t>(From->size()) / Columns);
      Tensor.add_shape(Columns);
      Tensor.set_data(From->data(), From->size() * sizeof(int64_t));
    }
    for (const std::string &Name : Built.Names)
      Known.add_rows(toText(Name));
    Version = Context.Compile.version();
  }
  Out.MergeFrom(Known);
  return Error::success();
}
