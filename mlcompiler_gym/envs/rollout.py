# SPDX-License-Identifier: Apache-2.0
"""Decisions by a policy inside the session, and what comes back of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs.actions import Action, Actions
from mlcompiler_gym.envs.policy_file import encode_policy
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

_FLOAT = np.dtype("<f4")


class PolicyFile(Protocol):
    """A policy that is data, such as :class:`~mlcompiler_gym.PortablePolicy`."""

    def to_bytes(self) -> bytes:
        """The contents of its file."""


#: A policy that a session can evaluate: data, or a name.
PolicyData: TypeAlias = PolicyFile | str


@dataclass(frozen=True)
class Rollout:
    """Decisions that a policy answered inside the session, and what they came to.

    Attributes:
        actions: Shape (n,), int64; of a continuous action float32.
        log_probabilities: Shape (n,), float32: of each action, natural logarithm.
        features: Shape (n, elements), float32: what each was decided from, as the
            task's features come; None if not asked for.
        masks: Shape (n, actions), int8: what was legal; None if not asked for, or if
            everything always is.
        reward: Sum over all steps.
        terminated: Whether the compile came to its end.
        truncated: Whether the compiler did not survive it.
        info: As of the last step.
    """

    actions: NDArray[Any]
    log_probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None
    masks: NDArray[np.int8] | None
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


@dataclass
class RolloutParts:
    """What one or several replies to ``Play`` say, put together."""

    actions: list[NDArray[Any]] = field(default_factory=list)
    log_probabilities: list[NDArray[np.float32]] = field(default_factory=list)
    features: list[bytes] = field(default_factory=list)
    legal: list[bytes] = field(default_factory=list)

    def add(self, reply: pb.PlayReply, actions: Actions) -> Sequence[Action]:
        """Take a reply; the actions that it says were taken."""
        taken = actions.decode(reply.actions)
        self.actions.append(taken)
        self.log_probabilities.append(np.frombuffer(reply.log_probabilities, _FLOAT))
        self.features.append(reply.features)
        self.legal.append(reply.legal)
        numbers: list[Action] = taken.tolist()
        return numbers

    def rollout(
        self,
        wanted: bool,
        reward: float,
        terminated: bool,
        truncated: bool,
        info: dict[str, Any],
    ) -> Rollout:
        """Everything in arrays."""
        actions = np.concatenate(self.actions) if self.actions else np.zeros(0)
        count = len(actions)
        masks = np.frombuffer(b"".join(self.legal), np.int8)
        return Rollout(
            actions=actions,
            log_probabilities=np.concatenate([*self.log_probabilities, []]).astype(
                np.float32
            ),
            features=np.frombuffer(b"".join(self.features), _FLOAT).reshape(count, -1)
            if wanted and count
            else None,
            masks=masks.reshape(count, -1) if len(masks) else None,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            info=info,
        )


def play_request(
    policy: PolicyData, seed: int | None, decisions: int, features: bool
) -> pb.Play:
    """The ``Play`` of a policy."""
    content = (
        encode_policy(policy_pb2.Policy(builtin=policy))
        if isinstance(policy, str)
        else policy.to_bytes()
    )
    request = pb.Play(policy=content, decisions=decisions, features=features)
    if seed is not None:
        request.seed = seed
    return request
