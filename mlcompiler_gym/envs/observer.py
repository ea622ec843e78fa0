# SPDX-License-Identifier: Apache-2.0
"""What an agent sees: features of the decision, and of the program what it likes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.client.observation import DTYPES, GRAPH, array
from mlcompiler_gym.envs.spaces import FeatureDecoder, box
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


class Observer:
    """Makes observations from what the service says of a state.

    Args:
        features: The tensors of a decision, in the order in which they are sent.
        observations: What is observed of the program besides.
        flat: One float32 array of everything in order, or a dict by name.

    Raises:
        ValueError: One of the observations is of no fixed shape.
    """

    def __init__(
        self,
        features: Sequence[pb.TensorSpec],
        observations: Sequence[pb.ObservationSpec] = (),
        *,
        flat: bool,
    ) -> None:
        self._features = FeatureDecoder(features, flat=flat) if features else None
        self._flat = flat
        self._extras = [_Extra(spec, flat=flat) for spec in observations]
        if self._features is None and not self._extras:
            raise ValueError("there is nothing to observe; name an observation")
        self.names = [spec.name for spec in features]
        self.names += [extra.name for extra in self._extras]
        self.space = self._space()
        #: The one thing that is observed, if it need not be put together.
        alone = flat and self._features is None and len(self._extras) == 1
        self._alone = self._extras[0] if alone else None

    def _space(self) -> spaces.Space[Any]:
        parts = [] if self._features is None else [self._features.space]
        if not self._extras:
            return parts[0]
        if self._flat:
            boxes = [*parts, *(extra.space for extra in self._extras)]
            return spaces.Box(
                np.concatenate([each.low.ravel() for each in boxes]),  # type: ignore[attr-defined]
                np.concatenate([each.high.ravel() for each in boxes]),  # type: ignore[attr-defined]
                dtype=np.float32,
            )
        named = dict(parts[0].spaces) if parts else {}  # type: ignore[attr-defined]
        return spaces.Dict({**named, **{e.name: e.space for e in self._extras}})

    def decode(self, state: pb.State) -> Any:
        """The observation of a state that is a decision."""
        # Fields are made anew whenever they are asked for.
        if not self._extras:
            assert self._features is not None
            return self._features.decode(state.features)
        observed = state.observations
        if self._alone is not None:
            return self._alone.decode(observed[0])
        pieces = [
            extra.decode(observation)
            for extra, observation in zip(self._extras, observed, strict=True)
        ]
        if self._flat:
            if self._features is not None:
                pieces.insert(0, self._features.decode(state.features))
            return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
        seen = {}
        if self._features is not None:
            seen = self._features.decode(state.features)
        return {
            **seen,
            **dict(zip((e.name for e in self._extras), pieces, strict=True)),
        }

    def zero(self) -> Any:
        """What is observed where there is no decision."""
        if not self._extras:
            assert self._features is not None
            return self._features.zero()
        if self._flat:
            return np.zeros(self.space.shape, np.float32)
        seen = {} if self._features is None else self._features.zero()
        return {**seen, **{extra.name: extra.zero() for extra in self._extras}}

    def pick(self, observation: Any, name: str) -> NDArray[np.float32]:
        """One feature out of an observation or a batch of them, in its own shape.

        Raises:
            ValueError: It is not among those that are observed.
        """
        for index, extra in enumerate(self._extras):
            if name != extra.name:
                continue
            if not self._flat:
                return observation[name]  # type: ignore[no-any-return]
            end = -sum(each.size for each in self._extras[index + 1 :]) or None
            start = (end or 0) - extra.size
            piece: NDArray[np.float32] = observation[..., start:end]
            return piece
        if self._features is None or name not in self.names:
            raise ValueError(
                f"{name!r} is not observed; known: {', '.join(self.names)}"
            )
        return self._features.pick(observation, name)


class _Extra:
    """An observation of the program as part of what the agent sees."""

    def __init__(self, spec: pb.ObservationSpec, *, flat: bool) -> None:
        self.name = spec.name
        tensors = {tensor.name: tensor for tensor in spec.tensors}
        self._graph = set(GRAPH) <= set(tensors)
        self.space: spaces.Space[Any]
        if self._graph and not flat:
            nodes, edges, _ = (tensors[name] for name in GRAPH)
            self.space = spaces.Graph(_element(nodes), _element(edges))
            return
        if len(tensors) != 1 or -1 in spec.tensors[0].shape:
            raise ValueError(
                f"observation {spec.name!r} has no fixed shape"
                + (
                    "; observation='dict' takes it as a graph"
                    if self._graph
                    else ": ask for it with observe()"
                )
            )
        self.size = math.prod(spec.tensors[0].shape)
        self._dtype = DTYPES[spec.tensors[0].dtype]
        self.space = box(spec.tensors[0])
        self._vector = len(self.space.shape) == 1

    def decode(self, observation: pb.Observation) -> Any:
        if not self._graph:
            data = observation.tensors[0].data
            values = np.frombuffer(data, self._dtype).astype(np.float32)
            return values if self._vector else values.reshape(self.space.shape)
        found = {tensor.name: array(tensor) for tensor in observation.tensors}
        nodes, edges, links = (found[name] for name in GRAPH)
        return spaces.GraphInstance(
            nodes.astype(np.float32),
            edges.astype(np.float32) if len(edges) else None,
            links if len(edges) else None,
        )

    def zero(self) -> Any:
        if not self._graph:
            return np.zeros(self.space.shape, np.float32)
        assert isinstance(self.space, spaces.Graph)
        return spaces.GraphInstance(
            np.zeros((1, *self.space.node_space.shape), np.float32),  # type: ignore[misc]
            None,
            None,
        )


def _element(spec: pb.TensorSpec) -> spaces.Box:
    """The space of one node or edge."""
    return spaces.Box(
        np.float32(spec.low), np.float32(spec.high), tuple(spec.shape)[1:], np.float32
    )
