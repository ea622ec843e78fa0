# SPDX-License-Identifier: Apache-2.0
"""What to compare a policy with: LLVM's heuristic, inaction, and chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces

from mlcompiler_gym.envs import CompilerEnv

#: From an observation and the ``info`` that came with it to an action.
Policy: TypeAlias = Callable[[Any, dict[str, Any]], Any]


def heuristic(env: gymnasium.Env[Any, Any]) -> Policy:
    """Decides as LLVM's own heuristic, and so gives LLVM's own object file.

    Args:
        env: An environment that was made with ``inlining_default=True``,
            ``eviction_default=True`` or ``priority_default=True``.

    Raises:
        ValueError: The environment does not show what the heuristic would do.
    """
    compiler = _compiler(env)
    setup = compiler.setup
    options = [name for name in setup.config.options if name.endswith("_default")]
    if not options:
        raise ValueError(
            f"no feature of {setup.config.task} says what LLVM's heuristic would do"
        )
    [feature] = options
    if feature not in setup.features.names:
        raise ValueError(
            "the environment does not show what LLVM's heuristic would do; make it "
            f"with {feature}=True"
        )
    if env.observation_space != compiler.observation_space:
        raise ValueError(
            f"a wrapper changes the observations that {feature} is read from; give "
            "the environment without it"
        )
    discrete = isinstance(compiler.action_space, spaces.Discrete)

    def repeat(observation: Any, info: dict[str, Any]) -> Any:
        shown = setup.features.pick(observation, feature)
        return int(shown.item()) if discrete else shown

    return repeat


def evict_nothing(env: gymnasium.Env[Any, Any]) -> Policy:
    """Evicts nothing where that is legal, and else for the first legal register.

    Args:
        env: A ``mlcompiler/RegAllocEviction-v0``.

    Raises:
        ValueError: It is another environment.
    """
    compiler = _compiler(env)
    task = compiler.setup.config.task
    if task != "regalloc_eviction":
        raise ValueError(f"there is nothing to evict in {task}")

    def decline(observation: Any, info: dict[str, Any]) -> int:
        legal = np.flatnonzero(info["action_mask"])
        nothing = len(info["action_mask"]) - 1
        return int(nothing if legal[-1] == nothing else legal[0])

    return decline


def random_legal(env: gymnasium.Env[Any, Any], seed: int | None = None) -> Policy:
    """Any legal action, all of them with the same probability.

    Args:
        env: Any of the environments.
        seed: Of its own generator; the same seed makes the same choices.
    """
    space = _compiler(env).action_space
    rng = np.random.default_rng(seed)

    def choose(observation: Any, info: dict[str, Any]) -> Any:
        if isinstance(space, spaces.Discrete):
            mask = info.get("action_mask", np.ones(int(space.n)))
            return int(rng.choice(np.flatnonzero(mask)))
        assert isinstance(space, spaces.Box)
        return rng.uniform(space.low, space.high).astype(np.float32)

    return choose


def _compiler(env: gymnasium.Env[Any, Any]) -> CompilerEnv:
    if not isinstance(env.unwrapped, CompilerEnv):
        raise TypeError(f"env is to be an environment of a compiler, not {env}")
    return env.unwrapped
