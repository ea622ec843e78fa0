//===- InterferenceGraph.h - What cannot share a register -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_INTERFERENCEGRAPH_H
#define MLCOMPILER_GYM_SERVICE_INTERFERENCEGRAPH_H

#include "FeatureText.h"
#include <array>
#include <cstdint>
#include <vector>

namespace mlcompiler {

/// Numbers of a live range. Frequencies are relative to the function's entry.
constexpr FeatureText RangeFeatures[] = {
    {"weight", "spill weight; 0 where it must not be spilled"},
    {"spillable", "1: it may be spilled"},
    {"size", "instructions that it covers, used or not"},
    {"operands", "operands that read or write it"},
    {"reads", "frequency-weighted operands that read it"},
    {"writes", "frequency-weighted operands that write it"},
    {"copies", "frequency-weighted copies to or from it"},
    {"hottest", "frequency of the hottest block with a use"},
    {"depth", "loops around the deepest of its uses"},
    {"local", "1: it lies within one block"},
    {"rematerializable", "1: it can be computed again instead of reloaded"},
    {"crosses_calls", "1: it is live across a call, which keeps few registers"},
    {"registers", "registers that its class has"},
    {"splits", "how often it, or what it is a piece of, has been split"},
};
constexpr size_t RangeFeatureCount = std::size(RangeFeatures);
using RangeNumbers = std::array<float, RangeFeatureCount>;

/// What a node of the graph has behind these.
constexpr FeatureText NodeStateFeatures[] = {
    {"state", "0: it waits for a register, 1: it is at hand, 2: it has one"},
    {"register", "LLVM's number of that register"},
};
constexpr size_t NodeNumberCount =
    RangeFeatureCount + std::size(NodeStateFeatures);

/// The live ranges of a function whose registers are being decided.
struct InterferenceGraph {
  struct Node {
    /// LLVM's number.
    unsigned VirtualRegister;
    /// As MIR writes it: "%7".
    std::string Name;
    std::array<float, NodeNumberCount> Numbers;
  };

  /// Two that are live at the same time, and may not have the same register.
  struct Edge {
    /// Places of nodes, the smaller one first.
    int64_t Source, Target;
    /// Registers that the source could have and that overlap one that the
    /// target could have; at least 1.
    int64_t Shared;
  };

  /// In the order of LLVM's numbers.
  std::vector<Node> Nodes;
  /// In the order of their places.
  std::vector<Edge> Edges;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_INTERFERENCEGRAPH_H
