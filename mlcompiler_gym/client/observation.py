# SPDX-License-Identifier: Apache-2.0
"""What an observation of the program is in Python."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.v1 import compiler_service_pb2 as pb

DTYPES: dict[int, np.dtype[Any]] = {
    pb.INT64: np.dtype("<i8"),
    pb.FLOAT32: np.dtype("<f4"),
}


class Rows(NamedTuple):
    """One vector for each function, loop or call site of a module.

    Attributes:
        names: What each row stands for, unique within the module.
        values: Array of shape ``(len(names), ...)``.
    """

    names: list[str]
    values: NDArray[Any]


#: The tensors of a graph, in the order of Gymnasium's ``GraphInstance``.
GRAPH = ("nodes", "edges", "edge_links")


class Graph(NamedTuple):
    """A graph of a module; ``docs/observations.md`` lists the columns.

    Attributes:
        nodes: int64 or float32 array of shape ``(nodes, columns)``.
        edges: int64 array of shape ``(edges, columns)``.
        edge_links: int64 array of shape ``(edges, 2)``: source and target of each
            edge, as indices of nodes.
        names: What each node is called; empty if nodes have no names.
    """

    nodes: NDArray[Any]
    edges: NDArray[np.int64]
    edge_links: NDArray[np.int64]
    names: list[str]

    def geometric(self) -> dict[str, NDArray[Any]]:
        """The arrays of a ``torch_geometric.data.Data``, by argument.

        ``Data(**{k: torch.from_numpy(v) for k, v in graph.geometric().items()})``
        is the graph in PyTorch Geometric.

        Returns:
            ``x`` is float32 of shape ``(nodes, columns)``. ``edge_index`` is int64
            of shape ``(2, edges)``. ``edge_attr`` is float32 of shape ``(edges,
            columns)``. All are contiguous copies.
        """
        return {
            "x": self.nodes.astype(np.float32),
            "edge_index": self.edge_links.T.copy(),
            "edge_attr": self.edges.astype(np.float32),
        }


#: Text and JSON are ``str``, bitcode is ``bytes``. A vector of the module is an array,
#: and vectors of its pieces are :class:`Rows`. Nodes and edges are a :class:`Graph`.
#: Any other tensors are a dict of arrays by name, if there are several.
Observed: TypeAlias = Any


def decode(observation: pb.Observation) -> Observed:
    """The value of an observation."""
    tensors = observation.tensors
    if not tensors:
        return observation.data or observation.text
    if len(tensors) > 1:
        found = {tensor.name: array(tensor) for tensor in tensors}
        if set(found) != set(GRAPH):
            return found
        nodes, edges, links = (found[name] for name in GRAPH)
        return Graph(nodes, edges, links, list(observation.rows))
    values = array(tensors[0])
    if len(values.shape) == 1:
        return values
    return Rows(list(observation.rows), values)


def array(tensor: pb.Tensor) -> NDArray[Any]:
    """A tensor's own dtype and shape."""
    return np.frombuffer(tensor.data, DTYPES[tensor.dtype]).reshape(tensor.shape)
