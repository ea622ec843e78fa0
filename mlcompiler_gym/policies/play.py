# SPDX-License-Identifier: Apache-2.0
"""One episode from end to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium

from mlcompiler_gym.policies.baselines import Policy


@dataclass(frozen=True)
class Played:
    """How an episode ended.

    Attributes:
        info: The info of the last step: ``objective`` and ``baseline``, unless it says
            ``no_decision`` or ``error``.
        reward: Sum over all steps.
        steps: How many there were.
    """

    info: dict[str, Any]
    reward: float
    steps: int


def play(
    env: gymnasium.Env[Any, Any],
    policy: Policy,
    *,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
) -> Played:
    """Reset the environment and follow the policy until the episode is over.

    Args:
        env: Where. It is left as the episode ended, for ``emit()`` and the like.
        policy: Actions from observations and infos. None ends the episode here; if the
            task has an end of its own, without an objective.
        seed: As for ``reset``.
        options: As for ``reset``, for example ``{"program": "kernels/regex"}``.
    """
    observation, info = env.reset(seed=seed, options=options)
    total = 0.0
    steps = 0
    over = False
    while not over:
        action = policy(observation, info)
        if action is None:
            # A task without an end goes on for as long as the policy likes, and a
            # caller may want only the first decisions of another.
            break
        observation, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
        steps += 1
        over = terminated or truncated
    return Played(info, total, steps)
