# SPDX-License-Identifier: Apache-2.0
"""What to compare a policy with: LLVM's heuristic, inaction, and chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.options import decode

#: From an observation and the ``info`` that came with it to an action.
Policy: TypeAlias = Callable[[Any, dict[str, Any]], Any]


def heuristic(env: gymnasium.Env[Any, Any]) -> Policy:
    """Decides as LLVM's own heuristic, and so gives LLVM's own object file.

    Args:
        env: An environment that was made with :func:`heuristic_settings`, for example
            ``inlining_default=True``.

    Raises:
        ValueError: The environment does not show what the heuristic would do.
    """
    compiler = _compiler(env)
    setup = compiler.setup
    wanted = setup.spec.heuristic
    for name, value in heuristic_settings(env).items():
        if name != "max_episode_steps":
            raise ValueError(
                "the environment does not show what LLVM's heuristic would do; make "
                f"it with {name}={value!r}"
            )
    if not wanted.feature:
        return _declared(compiler, wanted.action)
    if env.observation_space != compiler.observation_space:
        raise ValueError(
            f"a wrapper changes the observations that {wanted.feature} is read from; "
            "give the environment without it"
        )
    discrete = isinstance(compiler.action_space, spaces.Discrete)

    def repeat(observation: Any, info: dict[str, Any]) -> Any:
        shown = setup.features.pick(observation, wanted.feature)
        return int(shown.item()) if discrete else shown

    return repeat


def heuristic_settings(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """What an environment has to be made with, besides, for :func:`heuristic`.

    Args:
        env: Any of the environments.

    Raises:
        ValueError: LLVM decides nothing that an agent could repeat.
    """
    setup = _compiler(env).setup
    if not setup.spec.HasField("heuristic"):
        raise ValueError(f"there is no heuristic of LLVM's for {setup.config.task}")
    declared = {option.name: option for option in setup.spec.options}
    wanted: dict[str, Any] = {
        option.name: decode(declared[option.name], option.value)
        for option in setup.spec.heuristic.options
        if setup.config.options[option.name] != option.value
    }
    if decisions := setup.spec.heuristic.decisions:
        wanted["max_episode_steps"] = decisions
    return wanted


def inactive(env: gymnasium.Env[Any, Any]) -> Policy:
    """Leaves things as they are wherever that is legal: keeps calls, evicts nothing.

    Raises:
        ValueError: The task has no such action.
    """
    compiler = _compiler(env)
    if not compiler.setup.spec.HasField("inactive_action"):
        raise ValueError(
            f"{compiler.setup.config.task} has no action that does nothing"
        )
    return _declared(compiler, compiler.setup.spec.inactive_action)


def active(env: gymnasium.Env[Any, Any]) -> Policy:
    """The opposite of :func:`inactive`: inlines, and begins new loops.

    Raises:
        ValueError: The task has no such action.
    """
    compiler = _compiler(env)
    if not compiler.setup.spec.HasField("active_action"):
        raise ValueError(
            f"{compiler.setup.config.task} has no action that is the opposite of "
            "doing nothing"
        )
    return _declared(compiler, compiler.setup.spec.active_action)


def _declared(env: CompilerEnv, action: int) -> Policy:
    """Takes one action, or where it is not legal the first that is."""
    if not env.setup.actions.masked:
        return lambda observation, info: action

    def decide(observation: Any, info: dict[str, Any]) -> int:
        mask = info["action_mask"]
        return action if mask[action] else int(np.flatnonzero(mask)[0])

    return decide


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
