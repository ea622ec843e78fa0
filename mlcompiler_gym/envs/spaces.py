# SPDX-License-Identifier: Apache-2.0
"""Gymnasium spaces from the service's descriptions, and values from its bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.errors import ServiceUnavailableError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_FLOAT = np.dtype("<f4")


class FeatureDecoder:
    """Turns the bytes of a decision into observations.

    Args:
        specs: The tensors in the order in which they are sent.
        flat: One float32 array of all elements in order, or a dict of one
            float32 array per tensor, of the tensor's shape without a leading 1.
    """

    def __init__(self, specs: Sequence[pb.TensorSpec], *, flat: bool) -> None:
        self._flat = flat
        #: Where each tensor is among all elements, and its shape.
        self._places: dict[str, tuple[slice, tuple[int, ...]]] = {}
        self._size = 0
        for spec in specs:
            shape = _shape(spec)
            end = self._size + math.prod(shape)
            self._places[spec.name] = slice(self._size, end), shape
            self._size = end
        self._bytes = self._size * _FLOAT.itemsize
        boxes = {spec.name: box(spec) for spec in specs}
        self.space: spaces.Space[Any]
        if flat:
            self.space = spaces.Box(
                np.concatenate([box.low.ravel() for box in boxes.values()]),
                np.concatenate([box.high.ravel() for box in boxes.values()]),
                dtype=np.float32,
            )
        else:
            self.space = spaces.Dict({**boxes})

    def decode(self, data: bytes) -> Any:
        """The observation of one decision, from all elements as float32.

        Raises:
            ServiceUnavailableError: They are not those that were described.
        """
        if len(data) != self._bytes:
            raise ServiceUnavailableError(
                f"the service sent {len(data)} bytes of features, where it describes "
                f"{self._bytes}; is it of another version than this package? Install "
                "the same on both sides"
            )
        # A copy, since bytes cannot be written to.
        flat = np.frombuffer(data, _FLOAT).copy()
        if self._flat:
            return flat
        return {
            name: flat[where].reshape(shape)
            for name, (where, shape) in self._places.items()
        }

    def pick(self, observation: Any, name: str) -> NDArray[np.float32]:
        """One feature out of an observation or a batch of them, in its own shape.

        Raises:
            ValueError: It is not among those that are observed.
        """
        if name not in self._places:
            raise ValueError(
                f"{name!r} is not observed; known: {', '.join(self._places)}"
            )
        if not self._flat:
            return observation[name]  # type: ignore[no-any-return]
        where, shape = self._places[name]
        piece: NDArray[np.float32] = observation[..., where]
        return piece.reshape(*piece.shape[:-1], *shape)

    def zero(self) -> Any:
        """What is observed where there is no decision."""
        if self._flat:
            return np.zeros(self._size, np.float32)
        return {
            name: np.zeros(shape, np.float32)
            for name, (_, shape) in self._places.items()
        }


def box(spec: pb.TensorSpec) -> spaces.Box:
    """The space of a tensor, as float32."""
    return spaces.Box(
        np.float32(spec.low), np.float32(spec.high), _shape(spec), np.float32
    )


def _shape(spec: pb.TensorSpec) -> tuple[int, ...]:
    """Without the batch of one that LLVM puts before some: (1, 33) is (33,)."""
    shape = tuple(spec.shape)
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
