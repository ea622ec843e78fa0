# SPDX-License-Identifier: Apache-2.0
"""Decisions by a policy inside the session, and what comes back of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.best_action import BEST
from mlcompiler_gym.envs.actions import Action, Actions
from mlcompiler_gym.envs.observer import Columns
from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.policy_file import decode_policy, encode_policy
from mlcompiler_gym.reference import REFERENCE, read_reference
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

_FLOAT = np.dtype("<f4")


class PolicyFile(Protocol):
    """A policy that is data, as :class:`~mlcompiler_gym.policies.PortablePolicy` is."""

    def to_bytes(self) -> bytes:
        """The contents of its file."""


#: A policy that a session can evaluate: data, or a name.
PolicyData: TypeAlias = PolicyFile | str


#: Which features come back: none, all, or, for features with numbers for each action,
#: the numbers of legal actions only.
Recorded: TypeAlias = Literal[False, True, "legal"]


@dataclass(frozen=True)
class Recording:
    """What decisions were made from, as it came from the session.

    Attributes:
        rest: Shape (n, r), float32: the numbers of each decision that are about no
            action; everything, if columns were not asked for.
        columns: Shape (m, k), float32: the numbers of each of the m legal actions of
            all decisions, in order; None if they were not asked for.
        layout: Where these numbers are among all.
    """

    rest: NDArray[np.float32]
    columns: NDArray[np.float32] | None
    layout: Columns

    def rows(self, masks: NDArray[np.int8] | None) -> NDArray[np.float32]:
        """Whole rows, shape (n, elements), with 0 for what was not recorded.

        Args:
            masks: Shape (n, actions): what was legal.
        """
        if self.columns is None:
            return self.rest
        assert masks is not None
        return self.layout.expand(self.columns, self.rest, masks)


@dataclass(frozen=True)
class Rollout:
    """Decisions that a policy answered inside the session, and what they came to.

    Attributes:
        actions: Shape (n,), int64; of a continuous action float32, of several
            choices shape (n, choices).
        log_probabilities: Shape (n,), float32: of each action, natural logarithm.
        rewards: Shape (n,), float64: what each step paid.
        masks: Shape (n, actions), int8: what was legal; None if features were not
            asked for, or if everything always is.
        recording: What each was decided from, compact; None if not asked for.
        reward: Sum over all steps.
        terminated: Whether the compile came to its end.
        truncated: Whether the compiler did not survive it.
        info: As of the last step.
        observation: As of the last step.
        seed: With which the drawing of actions goes on; None if none were drawn.
    """

    actions: NDArray[Any]
    log_probabilities: NDArray[np.float32]
    rewards: NDArray[np.float64]
    masks: NDArray[np.int8] | None
    recording: Recording | None = field(repr=False)
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    observation: Any = field(repr=False)
    seed: int | None

    @cached_property
    def features(self) -> NDArray[np.float32] | None:
        """What each was decided from; None if not asked for.

        Shape (n, elements), float32: the numbers of the task's features in order, and
        behind them those of ``observations`` of a fixed shape, as in a flat
        observation. With ``features="legal"``, what is about actions that were not
        legal is 0; the array is made when it is first asked for.
        """
        return None if self.recording is None else self.recording.rows(self.masks)


@dataclass
class RolloutParts:
    """What one or several replies to ``Play`` say, put together."""

    actions: list[NDArray[Any]] = field(default_factory=list)
    log_probabilities: list[bytes] = field(default_factory=list)
    features: list[bytes] = field(default_factory=list)
    columns: list[bytes] = field(default_factory=list)
    legal: list[bytes] = field(default_factory=list)
    #: The seed with which actions are drawn from here.
    seed: int | None = None

    def add(self, reply: pb.PlayReply, actions: Actions) -> Sequence[Action]:
        """Take a reply; the actions that it says were taken."""
        taken = actions.decode(reply.actions)
        self.actions.append(taken)
        self.log_probabilities.append(reply.log_probabilities)
        self.features.append(reply.features)
        self.columns.append(reply.columns)
        self.legal.append(reply.legal)
        if self.seed is not None:
            self.seed = reply.seed
        numbers: list[Action] = taken.tolist()
        return [tuple(row) for row in taken.tolist()] if taken.ndim > 1 else numbers

    def masks(self, actions: Actions) -> NDArray[np.int8] | None:
        """What was legal, if it was asked for and not everything always is."""
        if not actions.masked:
            return None
        legal = np.frombuffer(b"".join(self.legal), np.int8)
        return legal.reshape(-1, actions.flags)

    def recording(self, wanted: Recorded, layout: Columns) -> Recording | None:
        """What decisions were made from."""
        if not wanted:
            return None
        rest = np.frombuffer(b"".join(self.features), _FLOAT)
        count, width = layout.places.shape
        if wanted != "legal" or not count:
            return Recording(rest.reshape(-1, layout.size), None, layout)
        columns = np.frombuffer(b"".join(self.columns), _FLOAT)
        decisions = sum(map(len, self.actions))
        return Recording(
            rest.reshape(decisions, len(layout.rest)),
            columns.reshape(-1, width),
            layout,
        )


def policy_content(task: str, policy: PolicyData) -> bytes:
    """The contents of a policy's file.

    Raises:
        PolicyError: There is no reference policy for the task.
    """
    if policy == REFERENCE:
        return read_reference(task)
    if isinstance(policy, str):
        return encode_policy(policy_pb2.Policy(builtin=policy))
    return policy.to_bytes()


def is_best(content: bytes) -> bool:
    """Whether a policy's file names ``best``, by which a session cannot decide."""
    try:
        return decode_policy(content).builtin == BEST
    except PolicyError:
        # The session says what is wrong with it.
        return False


def play_request(
    task: str,
    policy: PolicyData,
    seed: int | None,
    decisions: int | None = None,
    features: Recorded = False,
) -> pb.Play:
    """The ``Play`` of a policy that decides a task.

    Raises:
        PolicyError: There is no reference policy for the task, or the policy is
            ``"best"``, by which a session cannot decide.
        ValueError: An argument is not what it may be.
    """
    if decisions is not None and decisions < 1:
        raise ValueError(f"decisions is a number from 1 on, not {decisions}")
    if features not in (False, True, "legal"):
        raise ValueError(f"features is False, True or 'legal', not {features!r}")
    content = policy_content(task, policy)
    if is_best(content):
        raise PolicyError(
            f"{BEST!r} tries actions in copies of the compile, which the session that "
            "is to answer cannot do; PassOrderingEnv.rollout(policy, decisions=n) can, "
            "from Python, and so can eval"
        )
    request = pb.Play(
        policy=content,
        decisions=decisions or 0,
        features=bool(features),
        legal_columns=features == "legal",
    )
    if seed is not None:
        request.seed = seed
    return request
