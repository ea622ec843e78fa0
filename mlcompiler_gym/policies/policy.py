# SPDX-License-Identifier: Apache-2.0
"""Policies that are data, and their files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.policies.evaluator import Decisions, Evaluator, Random
from mlcompiler_gym.policies.named import NAMED
from mlcompiler_gym.policy_file import decode_policy, encode_policy
from mlcompiler_gym.seen import Histogram, read_seen, summarise
from mlcompiler_gym.v1 import policy_pb2 as pb


class PortablePolicy:
    """A policy that is data: it can be saved, judged, and put into the compiler.

    ``policy(observation, info)`` is an action, as of any policy. It is computed by
    the code that computes it in a session and in a real build, to the bit. The
    observation is that of the environment itself: whatever wrappers made of it in
    training is part of the policy.

    Args:
        message: What it is. A copy is kept.

    Raises:
        PolicyError: It is broken: a shape that does not fit, a number that is not
            finite.
    """

    def __init__(self, message: pb.Policy) -> None:
        self._message = pb.Policy()
        self._message.CopyFrom(message)
        self._bytes = encode_policy(self._message)
        model = self._message.model
        self._inputs = [(each.feature, each.elements) for each in model.inputs]
        outputs = (
            len(model.trees.base)
            if model.HasField("trees")
            else model.network.layers[-1].outputs
            if model.network.layers
            else 0
        )
        elements = sum(count for _, count in self._inputs)
        self._evaluator = Evaluator(self._bytes, elements, outputs)
        if self.builtin and self.builtin not in NAMED:
            raise PolicyError(
                f"there is no policy by the name {self.builtin!r}; known: "
                f"{', '.join(NAMED)}"
            )

    @classmethod
    def from_bytes(cls, content: bytes) -> PortablePolicy:
        """The policy that a file's contents are.

        Raises:
            PolicyError: They are not, or it is broken.
        """
        # The evaluator's reader is the strict one, and says what is wrong.
        Evaluator(content, 0, 0)
        return cls(decode_policy(content))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PortablePolicy:
        """The policy in a file.

        Raises:
            PolicyError: The file cannot be read, or is no policy that is whole.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise PolicyError(f"cannot read the policy {path}: {error}") from error
        try:
            return cls.from_bytes(content)
        except PolicyError as error:
            raise PolicyError(f"{path}: {error}") from None

    @classmethod
    def named(cls, name: str, task: str = "") -> PortablePolicy:
        """A policy by name: one of :data:`~mlcompiler_gym.policies.NAMED`.

        Raises:
            PolicyError: There is none of that name.
        """
        return cls(pb.Policy(builtin=name, task=task))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, by convention one that ends in ``.policy``.

        Raises:
            MLCompilerGymError: It cannot be written; an old file is still there.
        """
        write_file(path, self._bytes)

    def to_bytes(self) -> bytes:
        """What :meth:`save` writes."""
        return self._bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_bytes, (self._bytes,))

    @property
    def message(self) -> pb.Policy:
        """A copy of what it is."""
        copy = pb.Policy()
        copy.CopyFrom(self._message)
        return copy

    @property
    def task(self) -> str:
        """Name of the task that it decides; ``""`` for any."""
        return self._message.task

    @property
    def options(self) -> Mapping[str, str]:
        """Options of the task that it needs its environment to be made with."""
        return {option.name: option.value for option in self._message.options}

    @property
    def builtin(self) -> str:
        """The name of a named policy; ``""`` for a model."""
        return self._message.builtin

    @property
    def card(self) -> pb.Card:
        """Who made it, how, from what, and what came of it."""
        return self.message.card

    def with_card(self, card: pb.Card) -> PortablePolicy:
        """The same policy with another card."""
        message = self.message
        message.card.CopyFrom(card)
        return PortablePolicy(message)

    def with_seen(self, rows: NDArray[np.float32]) -> PortablePolicy:
        """The same policy, with what its inputs were in training on its card.

        ``mlcompiler-gym policy drift`` compares with it.

        Args:
            rows: Shape (decisions, elements): the features of decisions, as
                ``rollout(policy, features=True).features`` has them.

        Raises:
            ValueError: The elements are not those of its inputs.
        """
        card = self.card
        del card.seen[:]
        card.seen.extend(summarise(rows, self._message.model.inputs))
        return self.with_card(card)

    @property
    def seen(self) -> list[Histogram]:
        """What its inputs were in training, element by element; [] if not known.

        Raises:
            PolicyError: The card's distributions are not of its inputs.
        """
        return read_seen(self._message)

    def __call__(self, observation: Any, info: dict[str, Any]) -> Any:
        """The likeliest legal action.

        Args:
            observation: The observation of one decision: the flat array of shape
                (elements,), whose features come in the order of the policy's, or a dict
                by name.
            info: With ``"action_mask"``, int8 of shape (actions,), where actions may
                be illegal.

        Returns:
            An int; of a continuous action, a float32 array of shape (1,).

        Raises:
            ValueError: The observation is not what it decides from.
            PolicyError: It is one by name, which only a session can evaluate; or an
                output is not finite.
        """
        return self._decide_one(observation, info, None)

    def sampled(self, seed: int) -> SampledPolicy:
        """The same policy, drawing actions by their probabilities."""
        return SampledPolicy(self, seed)

    def decide(
        self,
        observations: Any,
        masks: NDArray[Any] | None = None,
        sample: Random | None = None,
    ) -> Decisions:
        """Make many decisions, one after the other.

        Args:
            observations: A flat array of shape (n, elements), or a dict of arrays
                of shape (n, ...).
            masks: Shape (n, actions), not 0 where an action is legal; None: all are.
            sample: Where the random numbers come from that actions are drawn with;
                None: the likeliest are taken.

        Raises:
            ValueError: A shape does not fit.
            PolicyError: As of a call.
        """
        self._check_model()
        return self._evaluator.decide(self._rows(observations, 1), masks, sample)

    def outputs(self, observations: Any) -> NDArray[np.float64]:
        """What the model gives before its head: logits, say; shape (n, outputs)."""
        self._check_model()
        return self._evaluator.outputs(self._rows(observations, 1))

    def _decide_one(
        self, observation: Any, info: dict[str, Any], sample: Random | None
    ) -> Any:
        self._check_model()
        mask = info.get("action_mask")
        decided = self._evaluator.decide(
            self._rows(observation, 0),
            None if mask is None else np.asarray(mask, np.uint8)[np.newaxis],
            sample,
        ).actions[0]
        return int(decided) if self._evaluator.actions else decided

    def _check_model(self) -> None:
        if self.builtin:
            raise PolicyError(
                f"the policy {self.builtin!r} is one by name, which a session "
                "evaluates: use env.unwrapped.finish, or policies.NAMED"
            )

    def _rows(self, observations: Any, batch: int) -> NDArray[np.float32]:
        """All inputs of each decision in a row."""
        if not isinstance(observations, Mapping):
            flat = np.asarray(observations, np.float32)
            return flat if batch else flat[np.newaxis]
        pieces = []
        for name, elements in self._inputs:
            if name not in observations:
                raise ValueError(
                    f"the policy decides from {name!r}, which is not observed; "
                    f"observed: {', '.join(observations)}"
                )
            piece = np.asarray(observations[name], np.float32)
            piece = piece.reshape(len(piece) if batch else 1, -1)
            if piece.shape[1] != elements:
                raise ValueError(
                    f"the policy's {name!r} has {elements} elements, and the observed "
                    f"one {piece.shape[1]}"
                )
            pieces.append(piece)
        return np.concatenate(pieces, axis=1)


class SampledPolicy:
    """Draws actions by a policy's probabilities; the same seed draws the same.

    Args:
        policy: What they are drawn by.
        seed: From 0 to 2**64 - 1.
    """

    def __init__(self, policy: PortablePolicy, seed: int) -> None:
        self.policy = policy
        self.random = Random(seed)

    def __call__(self, observation: Any, info: dict[str, Any]) -> Any:
        """An action; see :meth:`PortablePolicy.__call__`."""
        return self.policy._decide_one(observation, info, self.random)
