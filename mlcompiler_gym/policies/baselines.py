# SPDX-License-Identifier: Apache-2.0
"""What to compare a policy with: LLVM's heuristic, inaction, and chance."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.options import decode
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.policies.evaluator import Random
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: The feature that says which action costs least for now.
_CHEAPEST = "cheapest_action"

#: From an observation and the ``info`` that came with it to an action.
Policy: TypeAlias = Callable[[Any, dict[str, Any]], Any]

#: From an environment and an episode's seed to the policy of that episode.
PolicyMaker: TypeAlias = Callable[[gymnasium.Env[Any, Any], int], Policy]


def heuristic(env: gymnasium.Env[Any, Any]) -> Policy:
    """Decides as LLVM's own heuristic, and so gives LLVM's own object file.

    Args:
        env: An environment that was made with :func:`heuristic_settings`, for example
            ``inlining_default=True``.

    Raises:
        ValueError: The environment does not show what the heuristic would do.
    """
    compiler = compiler_of(env)
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
    _check_shown(env, wanted.feature)
    discrete = isinstance(compiler.action_space, spaces.Discrete)

    def repeat(observation: Any, info: dict[str, Any]) -> Any:
        shown = setup.features.pick(observation, wanted.feature)
        return int(shown.item()) if discrete else shown

    return repeat


def heuristic_settings(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """What an environment also has to be made with, for :func:`heuristic`.

    Args:
        env: Any of the environments.

    Raises:
        ValueError: LLVM decides nothing that an agent could repeat.
    """
    setup = compiler_of(env).setup
    if not setup.spec.HasField("heuristic"):
        raise ValueError(f"there is no heuristic of LLVM's for {setup.config.task}")
    wanted = missing_settings(setup, setup.spec.heuristic.options)
    if decisions := setup.spec.heuristic.decisions:
        wanted["max_episode_steps"] = decisions
    return wanted


def missing_settings(setup: Setup, options: Iterable[pb.Option]) -> dict[str, Any]:
    """The options that an environment was not made with, as keywords.

    Raises:
        ValueError: The task has no such option.
    """
    declared = {option.name: option for option in setup.spec.options}
    options = list(options)
    for option in options:
        if option.name not in declared:
            raise ValueError(f"{setup.config.task} has no option {option.name!r}")
    return {
        option.name: decode(declared[option.name], option.value)
        for option in options
        if setup.config.options[option.name] != option.value
    }


def last_use(env: gymnasium.Env[Any, Any]) -> Policy:
    """LLVM's own decisions, and inlines a callee whose body goes with the call, too.

    Args:
        env: An environment that was made with what :func:`settings_for` says,
            ``inlining_default=True, linkage=True``.

    Raises:
        ValueError: The task has no such rule, or the environment does not show what
            it goes by.
    """
    return _rule(env, "last_use")


def _rule(env: gymnasium.Env[Any, Any], name: str) -> Policy:
    """Takes the active action where one of a rule's features is not 0."""
    compiler = compiler_of(env)
    setup = compiler.setup
    rules = {rule.name: rule for rule in setup.spec.rules}
    if name not in rules:
        raise ValueError(f"{setup.config.task} has no rule {name!r}")
    if missing := missing_settings(setup, rules[name].options):
        needed = ", ".join(f"{key}={value!r}" for key, value in missing.items())
        raise ValueError(f"for the policy {name!r}, make the environment with {needed}")
    _check_shown(env, name)
    features = rules[name].features
    yes, no = active(env), inactive(env)

    def decide(observation: Any, info: dict[str, Any]) -> Any:
        applies = any(
            setup.features.pick(observation, feature).item() for feature in features
        )
        return (yes if applies else no)(observation, info)

    return decide


def cheapest(env: gymnasium.Env[Any, Any]) -> Policy:
    """Takes what costs least for now, in the allocation of all live ranges.

    Args:
        env: An environment that was made with ``cheapest_action=True``.

    Raises:
        ValueError: The environment does not show which action that is.
    """
    features = compiler_of(env).setup.features
    if _CHEAPEST not in features.names:
        raise ValueError(
            f"there is no {_CHEAPEST} among the features; make the environment "
            f"mlcompiler/RegAlloc-v0 with {_CHEAPEST}=True"
        )
    _check_shown(env, _CHEAPEST)
    return lambda observation, info: int(features.pick(observation, _CHEAPEST).item())


def inactive(env: gymnasium.Env[Any, Any]) -> Policy:
    """Leaves things as they are wherever that is legal: keeps calls, evicts nothing.

    Raises:
        ValueError: The task has no such action.
    """
    compiler = compiler_of(env)
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
    compiler = compiler_of(env)
    if not compiler.setup.spec.HasField("active_action"):
        raise ValueError(
            f"{compiler.setup.config.task} has no action that is the opposite of "
            "doing nothing"
        )
    return _declared(compiler, compiler.setup.spec.active_action)


def _declared(env: CompilerEnv, action: int) -> Policy:
    """Takes one action, or where it is not legal the first that is."""
    actions = env.setup.actions

    def decide(observation: Any, info: dict[str, Any]) -> Any:
        return actions.compose(
            [
                action if flags[action] else int(np.flatnonzero(flags)[0])
                for flags in actions.split(info.get("action_mask"))
            ]
        )

    return decide


def random_legal(env: gymnasium.Env[Any, Any], seed: int | None = None) -> Policy:
    """Any legal action, all of them with the same probability.

    Args:
        env: Any of the environments.
        seed: The same makes the same choices, and so does
            ``env.unwrapped.rollout("random", seed=seed)``. None: any.
    """
    compiler = compiler_of(env)
    space, actions = compiler.action_space, compiler.setup.actions
    rng = Random(secrets.randbits(64) if seed is None else seed)

    def draw(flags: NDArray[np.int8]) -> int:
        legal = np.flatnonzero(flags)
        return int(legal[rng.below(len(legal))])

    def choose(observation: Any, info: dict[str, Any]) -> Any:
        if not isinstance(space, spaces.Box):
            masks = actions.split(info.get("action_mask"))
            return actions.compose([draw(flags) for flags in masks])
        low, high = float(space.low[0]), float(space.high[0])
        return np.array([low + rng.uniform() * (high - low)], np.float32)

    return choose


def _check_shown(env: gymnasium.Env[Any, Any], name: str) -> None:
    if env.observation_space != compiler_of(env).observation_space:
        raise ValueError(
            f"a wrapper changes the observations that {name!r} is decided from; give "
            "the environment without it"
        )


def compiler_of(env: gymnasium.Env[Any, Any]) -> CompilerEnv:
    """What is inside of the wrappers."""
    if not isinstance(env.unwrapped, CompilerEnv):
        raise TypeError(f"env must be an environment of a compiler, not {env}")
    return env.unwrapped


def check_by_function(env: CompilerEnv) -> None:
    """Refuse tasks in which a decision in one function changes another.

    Raises:
        ValueError: It is such a task.
    """
    setup = env.setup
    if setup.spec.kind != pb.TaskSpec.IN_CODEGEN:
        raise ValueError(
            f"{setup.config.task} does not decide function by function, as the best of "
            "several samples has to"
        )


def check_one_choice(env: CompilerEnv) -> None:
    """Refuse what cannot be searched action by action.

    Raises:
        ValueError: Actions are numbers, or several choices at once.
    """
    if len(env.setup.actions.counts) != 1:
        kind = type(env.action_space).__name__
        raise ValueError(
            f"an action of {env.setup.config.task} is a {kind}; this takes one choice "
            "at a time"
        )
