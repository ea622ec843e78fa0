//===- GraphSource.h - The module as a graph --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBSERVATIONS_GRAPHSOURCE_H
#define MLCOMPILER_GYM_SERVICE_OBSERVATIONS_GRAPHSOURCE_H

#include "ObservationSource.h"

namespace mlcompiler {

/// A graph as in Gymnasium's GraphInstance: rows of numbers, all int64.
struct Graph {
  /// Adds a node and returns its index.
  int64_t addNode(llvm::ArrayRef<int64_t> Columns);
  void addEdge(llvm::ArrayRef<int64_t> Columns, int64_t Source, int64_t Target);

  std::vector<int64_t> Nodes, Edges, Links;
  /// Names of the nodes; either all nodes have one, or none.
  std::vector<std::string> Names;
  int64_t NodeCount = 0;
};

/// A graph of the module, built again only if the module may have changed.
class GraphSource : public ObservationSource {
public:
  void describe(proto::ObservationSpec &Spec) const final;
  llvm::Error observe(const ObservationContext &Context,
                      proto::Observation &Out) final;

protected:
  /// Fills in the number of columns (the second dimension), the bounds and the
  /// doc of both.
  virtual void describeColumns(proto::TensorSpec &Nodes,
                               proto::TensorSpec &Edges) const = 0;

  /// Builds the graph. The same module must give the same graph, in the same
  /// order.
  virtual void build(llvm::Module &M, Graph &To) const = 0;

private:
  uint64_t Version = 0;
  proto::Observation Known;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBSERVATIONS_GRAPHSOURCE_H
