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


#: Text and JSON are ``str``; a vector of the module is an array, of its pieces
#: :class:`Rows`; several tensors are a dict of arrays by name.
Observed: TypeAlias = Any


def decode(observation: pb.Observation) -> Observed:
    """The value of an observation."""
    tensors = observation.tensors
    if not tensors:
        return observation.data or observation.text
    if len(tensors) > 1:
        return {tensor.name: array(tensor) for tensor in tensors}
    values = array(tensors[0])
    if len(values.shape) == 1:
        return values
    return Rows(list(observation.rows), values)


def array(tensor: pb.Tensor) -> NDArray[Any]:
    """A tensor's own dtype and shape."""
    return np.frombuffer(tensor.data, DTYPES[tensor.dtype]).reshape(tensor.shape)
