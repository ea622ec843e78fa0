# SPDX-License-Identifier: Apache-2.0
"""Gymnasium spaces from the service's descriptions, and values from its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from mlcompiler_gym.errors import InvalidActionError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_DTYPES: dict[int, np.dtype[Any]] = {
    pb.INT64: np.dtype("<i8"),
    pb.FLOAT32: np.dtype("<f4"),
}


class FeatureDecoder:
    """Turns the bytes of a decision into observations.

    Args:
        specs: The tensors in the order in which they are sent.
        flat: One float32 array of all elements in order, or a dict of one
            float32 array per tensor, of the tensor's shape.
    """

    def __init__(self, specs: Sequence[pb.TensorSpec], *, flat: bool) -> None:
        self.names = [spec.name for spec in specs]
        self._flat = flat
        self._size = sum(int(np.prod(spec.shape)) for spec in specs)
        self._packed = np.dtype(
            [(spec.name, _DTYPES[spec.dtype], tuple(spec.shape)) for spec in specs]
        )
        dtypes = {_DTYPES[spec.dtype] for spec in specs}
        # Tensors of one type lie there as one array already.
        self._uniform = dtypes.pop() if len(dtypes) == 1 else None
        boxes = {spec.name: self._box(spec) for spec in specs}
        self.space: spaces.Space[Any]
        if flat:
            self.space = spaces.Box(
                np.concatenate([box.low.ravel() for box in boxes.values()]),
                np.concatenate([box.high.ravel() for box in boxes.values()]),
                dtype=np.float32,
            )
        else:
            self.space = spaces.Dict({**boxes})

    @staticmethod
    def _box(spec: pb.TensorSpec) -> spaces.Box:
        return spaces.Box(
            np.float32(spec.low),
            np.float32(spec.high),
            shape=tuple(spec.shape),
            dtype=np.float32,
        )

    def decode(self, data: bytes) -> Any:
        """The observation of one decision."""
        if self._flat:
            if self._uniform is not None:
                return np.frombuffer(data, self._uniform).astype(np.float32)
            packed = np.frombuffer(data, self._packed)[0]
            return np.concatenate(
                [packed[name].ravel().astype(np.float32) for name in self.names]
            )
        packed = np.frombuffer(data, self._packed)[0]
        return {name: packed[name].astype(np.float32) for name in self.names}

    def zero(self) -> Any:
        """What is observed where there is no decision."""
        if self._flat:
            return np.zeros(self._size, np.float32)
        return {
            name: np.zeros(self._packed[name].shape, np.float32) for name in self.names
        }


class DiscreteActions:
    """Encodes the actions of a discrete task.

    The request of each is made once; there are few of them and many steps.
    """

    def __init__(self, spec: pb.ActionSpec) -> None:
        self.meanings = list(spec.meanings)
        self.space = spaces.Discrete(len(self.meanings))
        dtype = _DTYPES[spec.tensor.dtype]
        self._bytes = [
            np.array(action, dtype).tobytes() for action in range(len(self.meanings))
        ]
        self._requests = [
            pb.Request(step=pb.Step(actions=data)).SerializeToString()
            for data in self._bytes
        ]

    def check(self, action: Any) -> int:
        """The action as an int.

        Raises:
            InvalidActionError: It is not an integer, or out of range.
        """
        if isinstance(action, np.ndarray) and action.ndim == 0:
            action = action[()]
        if isinstance(action, (bool, np.bool_)) or not isinstance(
            action, (int, np.integer)
        ):
            shape = getattr(action, "shape", ())
            raise InvalidActionError(
                f"an action is one integer, not {type(action).__name__}"
                + (f" of shape {shape}" if shape else "")
                + f" ({action!r})"
            )
        value = int(action)
        if not 0 <= value < len(self._bytes):
            raise InvalidActionError(
                f"action {value} is not in 0..{len(self._bytes) - 1} "
                f"({', '.join(self.meanings)})"
            )
        return value

    def request(self, action: int) -> bytes:
        """The serialised ``Step`` of a checked action."""
        return self._requests[action]

    def encode(self, actions: Sequence[int]) -> bytes:
        """Several checked actions in a row, for one ``Step``."""
        return b"".join(self._bytes[action] for action in actions)
