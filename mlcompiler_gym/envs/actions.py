# SPDX-License-Identifier: Apache-2.0
"""Actions: what an agent may answer, checked and put into requests."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client.observation import DTYPES
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_INT8 = np.dtype(np.int8)

#: A checked action; of several choices, a value for each.
Action: TypeAlias = int | float | tuple[int, ...]


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
        """Draw an action that the mask allows, or that is legal now."""
        if mask is None and probability is None:
            mask = self.legal
        drawn: np.int64 = super().sample(mask, probability)
        return drawn


class LegalMultiDiscrete(spaces.MultiDiscrete):
    """``MultiDiscrete`` that draws actions which are legal where the compiler stands.

    Attributes:
        legal: int8 array of shape ``(sum of nvec,)``, as ``info["action_mask"]``: the
            flags of one choice behind those of the other, 1: legal; None: all are.
    """

    legal: NDArray[np.int8] | None = None

    @override
    def sample(
        self,
        mask: NDArray[np.int8] | tuple[Any, ...] | None = None,
        probability: Any = None,
    ) -> NDArray[np.integer[Any]]:
        """Draw an action that the mask allows, or that is legal now.

        Args:
            mask: As :attr:`legal`, or a tuple of arrays, as Gymnasium has it.
            probability: As Gymnasium has it, instead of a mask.
        """
        if mask is None and probability is None:
            mask = self.legal
        if isinstance(mask, np.ndarray):
            mask = tuple(np.split(mask, np.cumsum(self.nvec)[:-1]))
        return super().sample(mask, probability)


class Actions(abc.ABC):
    """The actions of a task."""

    #: The action space for Gymnasium.
    space: spaces.Space[Any]
    #: What each action means, if they are discrete.
    meanings: Sequence[str] = ()
    #: Whether there are decisions at which not all actions are legal.
    masked = False
    #: How many values each choice of an action has. A discrete action is one choice,
    #: and a number is none.
    counts: Sequence[int] = ()
    #: The dtype in which the elements of an action are sent.
    _dtype: np.dtype[Any]

    @property
    def flags(self) -> int:
        """How many flags a mask has, one for each value of each choice."""
        return sum(self.counts)

    @abc.abstractmethod
    def check(self, action: Any) -> Action:
        """The action as plain numbers.

        Raises:
            InvalidActionError: It is none, whatever the decision.
        """

    def check_legal(self, action: Any, mask: NDArray[np.int8] | None) -> Action:
        """The action as plain numbers, if the mask of the decision allows it.

        Raises:
            InvalidActionError: It is none, or not legal here.
        """
        checked = self.check(action)
        if mask is not None:
            self.check_mask(checked, mask)
        return checked

    def check_mask(self, action: Action, mask: NDArray[np.int8]) -> None:
        """Whether a mask allows a checked action.

        Raises:
            InvalidActionError: It does not.
        """
        raise NotImplementedError

    def request(self, action: Action) -> bytes:
        """The serialised ``Step`` of a checked action."""
        step = pb.Step(actions=self.encode([action]))
        return pb.Request(step=step).SerializeToString()

    def encode(self, actions: Sequence[Action]) -> bytes:
        """Several checked actions in a row, for one ``Step``."""
        return np.array(actions, self._dtype).tobytes()

    @abc.abstractmethod
    def decode(self, data: bytes) -> NDArray[Any]:
        """What :meth:`encode` encodes, int64 or float32.

        Shape (n,), or of several choices (n, choices).
        """

    @abc.abstractmethod
    def meaning(self, action: Action) -> str:
        """For a person."""

    @abc.abstractmethod
    def compose(self, values: Sequence[int]) -> Any:
        """The action, as the space has it, whose choices have these values."""

    def split(self, mask: NDArray[np.int8] | None) -> list[NDArray[np.int8]]:
        """The flags of each choice; without a mask, all values are legal."""
        flags = np.ones(self.flags, np.int8) if mask is None else mask
        return np.split(flags, np.cumsum(self.counts)[:-1])

    def mask(self, legal: bytes | None) -> NDArray[np.int8] | None:
        """Which actions are legal at a decision (shape ``(flags,)``, 1: legal).

        Args:
            legal: What the service says; None where there is no decision, where
                all of them are.

        Returns:
            None if they always are.
        """
        if not self.masked:
            return None
        if legal is None:
            return np.ones(self.flags, np.int8)
        return np.frombuffer(legal, _INT8)


class DiscreteActions(Actions):
    """One of n actions.

    The request of each is made once; there are few of them and many steps.
    """

    def __init__(self, spec: pb.ActionSpec) -> None:
        self.meanings = list(spec.meanings)
        count = len(self.meanings)
        self.counts = (count,)
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
    def check_mask(self, action: Action, mask: NDArray[np.int8]) -> None:
        index = cast(int, action)
        if not mask[index]:
            legal = ", ".join(map(str, np.flatnonzero(mask)))
            raise InvalidActionError(
                f"action {index} ({self.meanings[index]}) is not legal here; legal "
                f"are: {legal}"
            )

    @override
    def request(self, action: Action) -> bytes:
        return self._requests[cast(int, action)]

    @override
    def encode(self, actions: Sequence[Action]) -> bytes:
        return b"".join(self._bytes[cast(int, action)] for action in actions)

    @override
    def decode(self, data: bytes) -> NDArray[Any]:
        return np.frombuffer(data, self._dtype)

    @override
    def meaning(self, action: Action) -> str:
        return self.meanings[cast(int, action)]

    @override
    def compose(self, values: Sequence[int]) -> int:
        return values[0]


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


class ChoiceActions(Actions):
    """Several choices at once.

    As Gymnasium has them: ``MultiDiscrete``, or with ``by_name`` a ``Dict`` of a
    ``Discrete`` for each.
    """

    def __init__(self, spec: pb.ActionSpec, *, by_name: bool = False) -> None:
        self.choices = list(spec.choices)
        self.counts = [len(choice.meanings) for choice in self.choices]
        self._names = [choice.name for choice in self.choices]
        self.masked = bool(spec.mask)
        if by_name:
            self.space = spaces.Dict(
                {
                    name: spaces.Discrete(count)
                    for name, count in zip(self._names, self.counts, strict=True)
                }
            )
        elif self.masked:
            self.space = LegalMultiDiscrete(self.counts)
        else:
            self.space = spaces.MultiDiscrete(self.counts)
        self._by_name = by_name
        self._dtype = DTYPES[spec.tensor.dtype]

    @override
    def check(self, action: Any) -> tuple[int, ...]:
        if self._by_name:
            action = self._in_order(action)
        elif isinstance(action, np.ndarray):
            action = action.tolist()
        if not isinstance(action, (list, tuple)) or len(action) != len(self.counts):
            raise InvalidActionError(
                f"an action is {len(self.counts)} integers, one for each of "
                f"{', '.join(self._names)}; not {action!r}"
            )
        values = tuple(v if type(v) is int else _as_int(v) for v in action)
        for index, value in enumerate(values):
            if not 0 <= value < self.counts[index]:
                choice = self.choices[index]
                raise InvalidActionError(
                    f"{choice.name}: action {value} is not in "
                    f"0..{self.counts[index] - 1} ({', '.join(choice.meanings)})"
                )
        return values

    def _in_order(self, action: Any) -> list[Any]:
        if not isinstance(action, Mapping) or set(action) != set(self._names):
            raise InvalidActionError(
                f"an action is a dict with a value for each of "
                f"{', '.join(self._names)}; not {action!r}"
            )
        return [action[name] for name in self._names]

    @override
    def check_mask(self, action: Action, mask: NDArray[np.int8]) -> None:
        first = 0
        for index, value in enumerate(cast("tuple[int, ...]", action)):
            behind = first + self.counts[index]
            if not mask[first + value]:
                choice = self.choices[index]
                legal = ", ".join(map(str, np.flatnonzero(mask[first:behind])))
                raise InvalidActionError(
                    f"{choice.name}: action {value} ({choice.meanings[value]}) is "
                    f"not legal here; legal are: {legal}"
                )
            first = behind

    @override
    def decode(self, data: bytes) -> NDArray[Any]:
        return np.frombuffer(data, self._dtype).reshape(-1, len(self.counts))

    @override
    def meaning(self, action: Action) -> str:
        values = cast("tuple[int, ...]", action)
        chosen = [
            f"{choice.name} {choice.meanings[value]}"
            for choice, value in zip(self.choices, values, strict=True)
            if value
        ]
        # If an action is several choices, value 0 of each is LLVM's own.
        return ", ".join(chosen) or self.choices[0].meanings[0]

    @override
    def compose(self, values: Sequence[int]) -> Any:
        if self._by_name:
            return dict(zip(self._names, values, strict=True))
        return np.array(values, np.int64)


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
    def decode(self, data: bytes) -> NDArray[Any]:
        return np.frombuffer(data, self._dtype)

    @override
    def meaning(self, action: Action) -> str:
        return f"{self._name} {action:g}"

    @override
    def compose(self, values: Sequence[int]) -> Any:
        raise TypeError(f"{self._name} is a number, and no choice")


def make_actions(spec: pb.TaskSpec, *, by_name: bool = False) -> Actions:
    """The actions of a task that the service describes.

    Args:
        spec: What it says.
        by_name: Several choices as a dict.

    Raises:
        ValueError: ``by_name``, and an action is one thing.
    """
    if spec.action.choices:
        return ChoiceActions(spec.action, by_name=by_name)
    if by_name:
        raise ValueError(f"an action of {spec.name} is one thing, and has no names")
    if spec.action.meanings:
        return DiscreteActions(spec.action)
    return BoxActions(spec.action)
