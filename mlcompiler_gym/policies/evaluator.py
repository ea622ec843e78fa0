# SPDX-License-Identifier: Apache-2.0
"""The native evaluator of policies, the same that sessions and plugins use."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.client.executable import find_installed
from mlcompiler_gym.errors import PolicyError, ServiceUnavailableError

_NAME = "lib/libmlcg-policy.so"


@dataclass(frozen=True)
class Decisions:
    """What a policy decided, decision by decision.

    Attributes:
        actions: Shape (n,), int64; of a continuous action (n, 1), float32.
        log_probabilities: Shape (n,), float64: of the action, natural logarithm.
    """

    actions: NDArray[np.int64] | NDArray[np.float32]
    log_probabilities: NDArray[np.float64]


class Random:
    """Random numbers for policies that are sampled; alike on every machine.

    Args:
        seed: From 0 to 2**64 - 1. It is all that there is to the state.
    """

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"a seed is from 0 to 2**64 - 1, not {seed}")
        self._state = ctypes.c_uint64(seed)

    @property
    def state(self) -> int:
        """The seed with which the numbers go on from here."""
        return self._state.value

    def uniform(self) -> float:
        """The next number, from 0 to 1, which it is never."""
        drawn: float = _library().mlcg_policy_uniform(ctypes.byref(self._state))
        return drawn

    def below(self, count: int) -> int:
        """An integer from 0 to ``count - 1``."""
        return int(self.uniform() * count)


class Evaluator:
    """Evaluates a model; for one thread at a time, which the GIL sees to.

    Args:
        file: The contents of a policy file.
        elements: Number of elements of all inputs.
        outputs: Number of outputs of the model's function.

    Raises:
        PolicyError: It is none, or is broken.
    """

    def __init__(self, file: bytes, elements: int, outputs: int) -> None:
        library = _library()
        self._handle = ctypes.c_void_p()
        why = ctypes.create_string_buffer(1000)
        if not library.mlcg_policy_read(
            file, len(file), ctypes.byref(self._handle), why, len(why)
        ):
            raise PolicyError(why.value.decode("utf-8", "replace"))
        self._elements = elements
        self._outputs = outputs
        #: How many actions a discrete head has; 0 for a scalar, or without a model.
        self.actions = 0
        if self._handle:
            self.actions = library.mlcg_policy_actions(self._handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library().mlcg_policy_destroy(self._handle)

    def decide(
        self,
        features: NDArray[np.float32],
        legal: NDArray[np.uint8] | None = None,
        sample: Random | None = None,
    ) -> Decisions:
        """Decide for each row, in order.

        Args:
            features: Shape (n, elements).
            legal: Shape (n, actions), not 0 where an action is legal; None: all are.
            sample: Where the numbers come from that actions are sampled with; None:
                the likeliest are taken.

        Raises:
            ValueError: A shape does not fit.
            PolicyError: An output is not finite, or no action is legal.
        """
        features = self._rows(features)
        count = len(features)
        if self.actions == 0:
            legal = None
        if legal is not None:
            legal = np.ascontiguousarray(legal, np.uint8)
            if legal.shape != (count, self.actions):
                raise ValueError(
                    f"legal must have the shape {(count, self.actions)}, not "
                    f"{legal.shape}"
                )
        actions = np.empty(count, np.int64)
        values = np.empty((count, 1), np.float32)
        log_probabilities = np.empty(count, np.float64)
        why = _library().mlcg_policy_decide(
            self._handle,
            count,
            features.ctypes.data,
            None if legal is None else legal.ctypes.data,
            None if sample is None else ctypes.byref(sample._state),
            actions.ctypes.data,
            values.ctypes.data,
            log_probabilities.ctypes.data,
        )
        if why is not None:
            raise PolicyError(why.decode())
        return Decisions(actions if self.actions else values, log_probabilities)

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the model's function gives: shape (n, outputs), from (n, elements)."""
        features = self._rows(features)
        outputs = np.empty((len(features), self._outputs), np.float64)
        _library().mlcg_policy_outputs(
            self._handle, len(features), features.ctypes.data, outputs.ctypes.data
        )
        return outputs

    def _rows(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        features = np.ascontiguousarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != self._elements:
            raise ValueError(
                f"the policy takes rows of {self._elements} elements, not an array of "
                f"the shape {features.shape}"
            )
        return features


@functools.cache
def _library() -> ctypes.PyDLL:
    path = find_installed(_NAME)
    if path is None:
        raise ServiceUnavailableError(
            f"{_NAME} is not in the installed package; install mlcompiler_gym with "
            "pip (from a checkout: `./run setup`)"
        )
    # It keeps the GIL: a decision takes a microsecond, and scratch memory is shared.
    library = ctypes.PyDLL(str(path))
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    library.mlcg_policy_read.argtypes = [
        ctypes.c_char_p,
        size,
        pointer,
        ctypes.c_char_p,
        size,
    ]
    library.mlcg_policy_read.restype = ctypes.c_bool
    library.mlcg_policy_destroy.argtypes = [pointer]
    library.mlcg_policy_destroy.restype = None
    library.mlcg_policy_actions.argtypes = [pointer]
    library.mlcg_policy_actions.restype = size
    library.mlcg_policy_decide.argtypes = [pointer, size, *[pointer] * 6]
    library.mlcg_policy_decide.restype = ctypes.c_char_p
    library.mlcg_policy_outputs.argtypes = [pointer, size, pointer, pointer]
    library.mlcg_policy_outputs.restype = None
    library.mlcg_policy_uniform.argtypes = [pointer]
    library.mlcg_policy_uniform.restype = ctypes.c_double
    return library
