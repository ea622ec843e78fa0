# SPDX-License-Identifier: Apache-2.0
"""The best that can be had, by trying everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies.baselines import check_one_choice


@dataclass(frozen=True)
class Found:
    """The best episode of a search.

    Attributes:
        reward: Sum over its steps.
        actions: What was answered, decision by decision.
        tried: How many episodes were played to their end.
    """

    reward: float
    actions: tuple[int, ...]
    tried: int


def exhaustive_search(env: CompilerEnv, limit: int = 4096) -> Found:
    """Play every episode from where the compiler stands, by ``fork()``.

    Args:
        env: An environment of discrete actions at a decision. It stays there.
        limit: Episodes to play at most; there are exponentially many.

    Returns:
        The first of those with the largest reward.

    Raises:
        ValueError: There are more episodes than ``limit``, or actions are numbers, or
            several choices at once.
    """
    check_one_choice(env)
    best: Found | None = None
    tried = 0
    # The last is tried next; a twin is stopped where its actions led to.
    open_nodes: list[tuple[CompilerEnv, tuple[int, ...], float]] = [
        (env.fork(), (), 0.0)
    ]
    try:
        while open_nodes:
            node, actions, paid = open_nodes.pop()
            for action in np.flatnonzero(node.action_masks())[::-1].tolist():
                twin = node.fork()
                _, reward, terminated, truncated, _ = twin.step(action)
                path, total = (*actions, action), paid + float(reward)
                if not (terminated or truncated):
                    open_nodes.append((twin, path, total))
                    continue
                twin.close()
                tried += 1
                if tried > limit:
                    raise ValueError(
                        f"there are more than {limit} episodes; search a smaller "
                        "program, or with a larger limit"
                    )
                if terminated and (
                    best is None or (-total, path) < (-best.reward, best.actions)
                ):
                    best = Found(total, path, 0)
            node.close()
    finally:
        for node, _, _ in open_nodes:
            node.close()
    if best is None:
        raise ValueError("no episode came to its end")
    return Found(best.reward, best.actions, tried)
