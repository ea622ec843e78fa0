# SPDX-License-Identifier: Apache-2.0
"""What an agent sees: features of the decision, and of the program what it likes."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.client.observation import DTYPES, GRAPH, array
from mlcompiler_gym.errors import ServiceUnavailableError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_FLOAT = np.dtype("<f4")

#: Every number of an observation in order, float32 of shape ``(Observer.size,)``.
Row = NDArray[np.float32]
#: Graphs of an observation, by name.
Graphs = dict[str, spaces.GraphInstance]


@dataclass(frozen=True)
class Columns:
    """Which numbers of a row are about one of the actions.

    Attributes:
        size: Length of a row.
        places: Shape (actions, k), intp: where each action's numbers are.
        rest: Shape (r,), intp: where all others are.
    """

    size: int
    places: NDArray[np.intp]
    rest: NDArray[np.intp]

    def expand(
        self,
        columns: NDArray[np.float32],
        rest: NDArray[np.float32],
        masks: NDArray[np.int8],
    ) -> NDArray[np.float32]:
        """Whole rows, shape (n, size), with 0 for what is not legal.

        Args:
            columns: Shape (m, k): the numbers of each legal action of each decision.
            rest: Shape (n, r).
            masks: Shape (n, actions): the m legal actions.
        """
        rows = np.zeros((len(masks), self.size), np.float32)
        rows[:, self.rest] = rest
        decisions, actions = np.nonzero(masks)
        rows[decisions[:, np.newaxis], self.places[actions]] = columns
        return rows


class Observer:
    """Makes observations from what the service says of a state.

    All numbers of an observation are in one row: the features, then the other
    observations. A flat observation is that row. An observation by name has pieces of
    it, and graphs.

    Args:
        features: The tensors of a decision, in the order in which they are sent.
        observations: What is observed in addition to the features.
        flat: One float32 array of everything in order, or a dict by name: one
            float32 array per tensor, of the tensor's shape without a leading 1.
        actions: How many there are, where not all of them are always legal.

    Attributes:
        columns: Which numbers are about one of these actions: those of features whose
            first dimension is as long.
        space: Space of the observations.
        names: Names of everything that is observed, in order.
        size: Length of a row.
        is_row: Whether an observation is its row, as it is.
        no_graphs: Graphs where there is no decision.

    Raises:
        ValueError: One of the observations is of no fixed shape.
    """

    def __init__(
        self,
        features: Sequence[pb.TensorSpec],
        observations: Sequence[pb.ObservationSpec] = (),
        *,
        flat: bool,
        actions: int = 0,
    ) -> None:
        self._flat = flat
        if not features and not observations:
            raise ValueError("there is nothing to observe; name an observation")
        #: Where each piece is in a row, and its shape.
        self._places: dict[str, tuple[slice, tuple[int, ...]]] = {}
        self.size = 0
        boxes = {spec.name: self._place(spec.name, spec) for spec in features}
        self._features = slice(0, self.size)
        #: The task's own features, and how many elements each has.
        self.task_names = tuple(
            (name, math.prod(box.shape)) for name, box in boxes.items()
        )
        self.task_size = self.size
        self._bytes = self.size * _FLOAT.itemsize
        named: dict[str, spaces.Space[Any]] = {**boxes}
        #: Where each observation is in a row, and its dtype; for a graph, its name.
        self._extras: list[tuple[slice, np.dtype[Any]] | str] = []
        self.no_graphs: Graphs = {}
        for each in observations:
            if not flat and (graph := _graph_space(each)) is not None:
                named[each.name] = graph
                self._extras.append(each.name)
                self.no_graphs[each.name] = _empty_graph(graph)
                continue
            spec = _fixed_tensor(each)
            boxes[each.name] = named[each.name] = self._place(each.name, spec)
            where, _ = self._places[each.name]
            self._extras.append((where, DTYPES[spec.dtype]))
        self.names = list(named)
        self.space: spaces.Space[Any]
        if not flat:
            self.space = spaces.Dict(named)
        elif len(boxes) == 1 and not features:
            [self.space] = boxes.values()
        else:
            self.space = spaces.Box(
                np.concatenate([box.low.ravel() for box in boxes.values()]),
                np.concatenate([box.high.ravel() for box in boxes.values()]),
                dtype=np.float32,
            )
        self.is_row = flat and len(self.space.shape or ()) == 1
        self.columns = self._find_columns([spec.name for spec in features], actions)

    def _find_columns(self, features: Sequence[str], actions: int) -> Columns:
        numbers = np.arange(self.size)
        found = [
            numbers[where].reshape(actions, -1)
            for where, shape in (self._places[name] for name in features)
            if actions and shape[0] == actions
        ]
        places = np.concatenate(
            [np.empty((actions, 0), np.intp), *found], axis=1, dtype=np.intp
        )
        return Columns(self.size, places, np.setdiff1d(numbers, places))

    def _place(self, name: str, spec: pb.TensorSpec) -> spaces.Box:
        shape = _shape(spec)
        end = self.size + math.prod(shape)
        self._places[name] = slice(self.size, end), shape
        self.size = end
        return spaces.Box(
            np.float32(spec.low), np.float32(spec.high), shape, np.float32
        )

    def decode(self, state: pb.State, row: Row | None = None) -> Row:
        """The numbers of a decision.

        Args:
            state: Where the compiler stands.
            row: Where to write them. ``None``: into a new array.

        Raises:
            ServiceUnavailableError: They differ from the described ones.
        """
        if not self._extras:
            features = self._decode_features(state)
            if row is None:
                # A copy, since bytes cannot be written to.
                return features.copy()
            row[:] = features
            return row
        if row is None:
            row = np.empty(self.size, np.float32)
        if self._bytes:
            row[self._features] = self._decode_features(state)
        for place, observed in zip(self._extras, state.observations, strict=True):
            if not isinstance(place, str):
                where, dtype = place
                row[where] = np.frombuffer(observed.tensors[0].data, dtype)
        return row

    def _decode_features(self, state: pb.State) -> Row:
        data = state.features
        if len(data) != self._bytes:
            raise ServiceUnavailableError(
                f"the service sent {len(data)} bytes of features, where it describes "
                f"{self._bytes}; is it of another version than this package? Install "
                "the same on both sides"
            )
        return np.frombuffer(data, _FLOAT)

    def graphs(self, state: pb.State) -> Graphs:
        """The graphs of a decision."""
        return {
            place: _graph(observed)
            for place, observed in zip(self._extras, state.observations, strict=True)
            if isinstance(place, str)
        }

    def present(self, rows: NDArray[np.float32], graphs: dict[str, Any]) -> Any:
        """The observation that a row is, or the batch that several are.

        Args:
            rows: Shape ``(size,)``, or ``(n, size)``. Pieces of it are returned.
            graphs: By name; of a batch, tuples of them.
        """
        if self.is_row:
            return rows
        leading = rows.shape[:-1]
        if self._flat:
            return rows.reshape(*leading, *self.space.shape)  # type: ignore[misc]
        pieces = {
            name: rows[..., where].reshape(*leading, *shape)
            for name, (where, shape) in self._places.items()
        }
        return {**pieces, **graphs}

    def batch(self, rows: NDArray[np.float32], graphs: Sequence[Graphs]) -> Any:
        """Observations of several environments, as Gymnasium batches them.

        Args:
            rows: Shape ``(n, size)``. A flat batch is ``rows``; arrays by name are
                copies.
            graphs: The graphs of each environment.
        """
        columns = {name: tuple(g[name] for g in graphs) for name in self.no_graphs}
        batch = self.present(rows, columns)
        if not self._flat:
            for name in self._places:
                batch[name] = np.ascontiguousarray(batch[name])
        return batch

    def zero(self) -> Any:
        """What is observed where there is no decision."""
        return self.present(np.zeros(self.size, np.float32), self.no_graphs)

    def pick(self, observation: Any, name: str) -> NDArray[np.float32]:
        """One feature out of an observation or a batch of them, in its own shape.

        Raises:
            ValueError: It is not observed.
        """
        if name not in self.names:
            raise ValueError(
                f"{name!r} is not observed; known: {', '.join(self.names)}"
            )
        if not self._flat:
            return observation[name]  # type: ignore[no-any-return]
        where, shape = self._places[name]
        if len(self._places) == 1 and not self._bytes:
            return observation  # type: ignore[no-any-return]
        piece: NDArray[np.float32] = observation[..., where]
        return piece.reshape(*piece.shape[:-1], *shape)


class View:
    """What the agent of one environment sees now.

    Args:
        observer: Makes the observations.
        row: Where to write them. ``None``: each into an array of its own, so that
            the agent may keep it.

    Attributes:
        graphs: Graphs of the latest observation.
    """

    def __init__(self, observer: Observer, row: Row | None = None) -> None:
        self._observer = observer
        self._fixed = row
        self.graphs: Graphs = {}
        self.show_nothing()

    def show(self, state: pb.State) -> None:
        """Show a state that is a decision."""
        self._row = self._observer.decode(state, self._fixed)
        if self.graphs:
            self.graphs = self._observer.graphs(state)

    def show_nothing(self) -> None:
        """Show that there is no decision."""
        if self._fixed is None:
            self._row = np.zeros(self._observer.size, np.float32)
        else:
            self._row = self._fixed
            self._row[:] = 0
        self.graphs = self._observer.no_graphs

    @property
    def row(self) -> Row:
        """The numbers of the latest observation."""
        return self._row

    @property
    def observation(self) -> Any:
        """The latest observation, of the environment's space."""
        if self._observer.is_row:
            return self._row
        return self._observer.present(self._row, self.graphs)

    def copy(self) -> View:
        """What is seen now, to be kept while this goes on."""
        twin = View(self._observer)
        twin._row = self._row.copy()
        twin.graphs = copy.deepcopy(self.graphs)
        return twin


def _shape(spec: pb.TensorSpec) -> tuple[int, ...]:
    """Without the batch of one that LLVM puts before some: (1, 33) is (33,)."""
    shape = tuple(spec.shape)
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def _is_graph(spec: pb.ObservationSpec) -> bool:
    return set(GRAPH) <= {tensor.name for tensor in spec.tensors}


def _fixed_tensor(spec: pb.ObservationSpec) -> pb.TensorSpec:
    """The tensor of an observation that can be part of a row.

    Raises:
        ValueError: It is of no fixed shape.
    """
    if len(spec.tensors) == 1 and -1 not in spec.tensors[0].shape:
        return spec.tensors[0]
    raise ValueError(
        f"observation {spec.name!r} has no fixed shape"
        + (
            "; observation='dict' takes it as a graph"
            if _is_graph(spec)
            else ": ask for it with observe()"
        )
    )


def _graph_space(spec: pb.ObservationSpec) -> spaces.Graph | None:
    """The space of an observation that is a graph; None: it is none."""
    if not _is_graph(spec):
        return None
    tensors = {tensor.name: tensor for tensor in spec.tensors}
    nodes, edges, _ = (tensors[name] for name in GRAPH)
    return spaces.Graph(_element(nodes), _element(edges))


def _element(spec: pb.TensorSpec) -> spaces.Box:
    """The space of one node or edge."""
    return spaces.Box(
        np.float32(spec.low), np.float32(spec.high), tuple(spec.shape)[1:], np.float32
    )


def _graph(observed: pb.Observation) -> spaces.GraphInstance:
    found = {tensor.name: array(tensor) for tensor in observed.tensors}
    nodes, edges, links = (found[name] for name in GRAPH)
    return spaces.GraphInstance(
        nodes.astype(np.float32),
        edges.astype(np.float32) if len(edges) else None,
        links if len(edges) else None,
    )


def _empty_graph(space: spaces.Graph) -> spaces.GraphInstance:
    nodes = np.zeros((1, *space.node_space.shape), np.float32)  # type: ignore[misc]
    return spaces.GraphInstance(nodes, None, None)
