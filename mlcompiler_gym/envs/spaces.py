# SPDX-License-Identifier: Apache-2.0
"""Gymnasium spaces from the service's descriptions, and values from its bytes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.service.observation import DTYPES
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


class FeatureDecoder:
    """Turns the bytes of a decision into observations.

    Args:
        specs: The tensors in the order in which they are sent.
        flat: One float32 array of all elements in order, or a dict of one
            float32 array per tensor, of the tensor's shape without a leading 1.
    """

    def __init__(self, specs: Sequence[pb.TensorSpec], *, flat: bool) -> None:
        self.names = [spec.name for spec in specs]
        self._flat = flat
        self._size = sum(int(np.prod(spec.shape)) for spec in specs)
        self._packed = np.dtype(
            [(spec.name, DTYPES[spec.dtype], _shape(spec)) for spec in specs]
        )
        self._runs = _runs(specs)
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
        """The observation of one decision."""
        if self._flat:
            if len(self._runs) == 1:
                return np.frombuffer(data, self._runs[0].dtype).astype(np.float32)
            flat = np.empty(self._size, np.float32)
            words = np.frombuffer(data, "<i4")
            floats = words.view("<f4")
            for run in self._runs:
                if run.narrow:
                    flat[run.to] = words[run.words]
                elif run.dtype.kind == "f":
                    flat[run.to] = floats[run.words]
                else:
                    flat[run.to] = np.frombuffer(data, "<i8", run.count, run.offset)
            return flat
        packed = np.frombuffer(data, self._packed)[0]
        return {name: packed[name].astype(np.float32) for name in self.names}

    def pick(self, observation: Any, name: str) -> NDArray[np.float32]:
        """One feature out of an observation or a batch of them, in its own shape.

        Raises:
            ValueError: It is not among those that are observed.
        """
        if name not in self.names:
            raise ValueError(
                f"{name!r} is not observed; known: {', '.join(self.names)}"
            )
        if not self._flat:
            return observation[name]  # type: ignore[no-any-return]
        sizes = [math.prod(self._packed[each].shape) for each in self.names]
        index = self.names.index(name)
        start = sum(sizes[:index])
        piece: NDArray[np.float32] = observation[..., start : start + sizes[index]]
        return piece.reshape(*piece.shape[:-1], *self._packed[name].shape)

    def zero(self) -> Any:
        """What is observed where there is no decision."""
        if self._flat:
            return np.zeros(self._size, np.float32)
        return {
            name: np.zeros(self._packed[name].shape, np.float32) for name in self.names
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


@dataclass(frozen=True)
class _Run:
    """Neighbouring tensors that are converted alike.

    Attributes:
        dtype: Of their elements.
        narrow: Their int64 elements fit 32 bits, so that the lower half of each
            is all of it: to convert those saves a call for each run.
        count: Number of elements.
        offset: Bytes before them.
        to: Where they go.
        words: Where they are among the 32-bit words of the message.
    """

    dtype: np.dtype[Any]
    narrow: bool
    count: int
    offset: int
    to: slice
    words: slice


def _runs(specs: Sequence[pb.TensorSpec]) -> list[_Run]:
    def kind(spec: pb.TensorSpec) -> tuple[np.dtype[Any], bool]:
        dtype = DTYPES[spec.dtype]
        fits = dtype.kind == "i" and spec.low >= -(2**31) and spec.high < 2**31
        return dtype, fits

    runs = []
    at = offset = 0
    for (dtype, narrow), group in itertools.groupby(specs, kind):
        count = sum(int(np.prod(spec.shape)) for spec in group)
        length = count * dtype.itemsize
        words = slice(offset // 4, (offset + length) // 4, dtype.itemsize // 4)
        to = slice(at, at + count)
        runs.append(_Run(dtype, narrow, count, offset, to, words))
        at += count
        offset += length
    return runs
