# SPDX-License-Identifier: Apache-2.0
"""Actions: what an agent may answer, checked and put into requests."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client.observation import DTYPES
from mlcompiler_gym.errors import InvalidActionError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_INT8 = np.dtype(np.int8)

#: A checked action.
Action: TypeAlias = int | float


class LegalDiscrete(spaces.Discrete):
    """``Discrete(n)`` that draws actions which are legal where the compiler stands.

    Attributes:
        legal: int8 array of shape ``(n,)``, 1: legal; None: all are.
    """

    legal: NDArray[np.int8] | None = None

    @override
    def sample(
        self, mask: NDArray[np.int8] | None = None, probability: Any = None
    ) -> np.int64:
        """Draw an action: of the mask, or of those that are legal now."""
        if mask is None and probability is None:
            mask = self.legal
        drawn: np.int64 = super().sample(mask, probability)
        return drawn


class Actions(abc.ABC):
    """The actions of a task."""

    #: As Gymnasium sees them.
    space: spaces.Space[Any]
    #: What each stands for, if they are discrete.
    meanings: Sequence[str] = ()
    #: Whether there are decisions at which not all of them are legal.
    masked = False

    @abc.abstractmethod
    def check(self, action: Any) -> Action:
        """The action as a plain number.

        Raises:
            InvalidActionError: It is none, whatever the decision.
        """

    def check_legal(self, action: Any, mask: NDArray[np.int8] | None) -> Action:
        """The action as a plain number, if the mask of the decision allows it.

        Raises:
            InvalidActionError: It is none, or not legal here.
        """
        checked = self.check(action)
        if mask is None or mask[int(checked)]:
            return checked
        legal = ", ".join(map(str, np.flatnonzero(mask)))
        raise InvalidActionError(
            f"action {checked} ({self.meaning(checked)}) is not legal here; legal "
            f"are: {legal}"
        )

    @abc.abstractmethod
    def request(self, action: Action) -> bytes:
        """The serialised ``Step`` of a checked action."""

    @abc.abstractmethod
    def encode(self, actions: Sequence[Action]) -> bytes:
        """Several checked actions in a row, for one ``Step``."""

    @abc.abstractmethod
    def decode(self, data: bytes) -> NDArray[Any]:
        """What :meth:`encode` encodes: int64 or float32, shape (n,)."""

    @abc.abstractmethod
    def meaning(self, action: Action) -> str:
        """For a person."""

    def mask(self, legal: bytes | None) -> NDArray[np.int8] | None:
        """Which actions are legal at a decision (shape ``(n,)``, 1: legal).

        Args:
            legal: What the service says; None where there is no decision, where
                all of them are.

        Returns:
            None if they always are.
        """
        return None


class DiscreteActions(Actions):
    """One of n actions.

    The request of each is made once; there are few of them and many steps.
    """

    def __init__(self, spec: pb.ActionSpec) -> None:
        self.meanings = list(spec.meanings)
        count = len(self.meanings)
        self.space = LegalDiscrete(count) if spec.mask else spaces.Discrete(count)
        self._dtype = DTYPES[spec.tensor.dtype]
        self._bytes = [
            np.array(action, self._dtype).tobytes()
            for action in range(len(self.meanings))
        ]
        self._requests = [
            pb.Request(step=pb.Step(actions=data)).SerializeToString()
            for data in self._bytes
        ]
        self.masked = bool(spec.mask)

    @override
    def check(self, action: Any) -> int:
        value = action if type(action) is int else _as_int(action)
        if not 0 <= value < len(self._bytes):
            raise InvalidActionError(
                f"action {value} is not in 0..{len(self._bytes) - 1} "
                f"({', '.join(self.meanings)})"
            )
        return value

    @override
    def request(self, action: Action) -> bytes:
        return self._requests[int(action)]

    @override
    def encode(self, actions: Sequence[Action]) -> bytes:
        return b"".join(self._bytes[int(action)] for action in actions)

    @override
    def decode(self, data: bytes) -> NDArray[Any]:
        return np.frombuffer(data, self._dtype)

    @override
    def meaning(self, action: Action) -> str:
        return self.meanings[int(action)]

    @override
    def mask(self, legal: bytes | None) -> NDArray[np.int8] | None:
        if not self.masked:
            return None
        if legal is None:
            return np.ones(len(self._bytes), np.int8)
        return np.frombuffer(legal, _INT8)


def _as_int(action: Any) -> int:
    """What an action is that is no plain integer."""
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
    return int(action)


class BoxActions(Actions):
    """One number between bounds."""

    def __init__(self, spec: pb.ActionSpec) -> None:
        self._name = spec.tensor.name
        self._dtype = DTYPES[spec.tensor.dtype]
        self._box = spaces.Box(
            np.float32(spec.tensor.low),
            np.float32(spec.tensor.high),
            shape=tuple(spec.tensor.shape),
            dtype=np.float32,
        )
        self.space = self._box

    @override
    def check(self, action: Any) -> float:
        try:
            array = np.asarray(action)
        except ValueError:  # nested lists of different lengths
            array = np.empty(0, object)
        if array.dtype.kind not in "iuf":
            raise InvalidActionError(
                f"an action is one number ({self._name}), not {action!r}"
            )
        if array.shape not in ((), self._box.shape):
            raise InvalidActionError(
                f"an action is an array of shape {self._box.shape}, not {array.shape}"
            )
        value = float(array.reshape(()))
        low, high = float(self._box.low[0]), float(self._box.high[0])
        if not low <= value <= high:
            raise InvalidActionError(
                f"action {value:g} is not in {low:g}..{high:g} ({self._name})"
            )
        return value

    @override
    def request(self, action: Action) -> bytes:
        step = pb.Step(actions=self.encode([action]))
        return pb.Request(step=step).SerializeToString()

    @override
    def encode(self, actions: Sequence[Action]) -> bytes:
        return np.array(actions, self._dtype).tobytes()

    @override
    def decode(self, data: bytes) -> NDArray[Any]:
        return np.frombuffer(data, self._dtype)

    @override
    def meaning(self, action: Action) -> str:
        return f"{self._name} {action:g}"


def make_actions(spec: pb.TaskSpec) -> Actions:
    """The actions of a task that the service describes."""
    if spec.action.meanings:
        return DiscreteActions(spec.action)
    return BoxActions(spec.action)
