# SPDX-License-Identifier: Apache-2.0
"""LLVM's decisions with some of them left to chance."""

from __future__ import annotations

from typing import Any

import gymnasium

from mlcompiler_gym.policies import heuristic, random_legal
from mlcompiler_gym.policies.baselines import Policy, compiler_of
from mlcompiler_gym.policies.evaluator import Random


def perturbed(env: gymnasium.Env[Any, Any], rate: float, seed: int) -> Policy:
    """Decide as LLVM does, except for some decisions, which chance takes.

    In pass ordering, LLVM's decisions are all passes of the set in their order.

    Args:
        env: An environment that shows LLVM's decisions; see
            :func:`~mlcompiler_gym.policies.heuristic`.
        rate: Share of the decisions that are drawn from the legal actions, 0 to 1.
        seed: What they are drawn by.

    Raises:
        ValueError: The environment does not show what LLVM would do.
    """
    rng = Random(seed)
    chance = random_legal(env, seed + 1)
    spec = compiler_of(env).setup.spec
    if spec.kind == spec.OPEN_ENDED:
        llvm = _in_order(compiler_of(env).setup.actions.flags)
    else:
        llvm = heuristic(env)

    def decide(observation: Any, info: dict[str, Any]) -> Any:
        # Each draws at every decision, so that one rate differs little from the next.
        usual, other = llvm(observation, info), chance(observation, info)
        return other if rng.uniform() < rate else usual

    return decide


def _in_order(count: int) -> Policy:
    following = 0

    def decide(observation: Any, info: dict[str, Any]) -> Any:
        nonlocal following
        action, following = following % count, following + 1
        return action

    return decide
