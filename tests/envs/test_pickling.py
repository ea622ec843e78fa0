# SPDX-License-Identifier: Apache-2.0
"""Environments in other processes: pickled, copied, or made there."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from stable_baselines3.common.vec_env import SubprocVecEnv
from support.regalloc import EVICTION, PRIORITY

import mlcompiler_gym
from mlcompiler_gym import LocalService, RunningError, StepReward
from mlcompiler_gym.client import GrpcService, Service
from mlcompiler_gym.envs import CompilerEnv

INLINING = "mlcompiler/Inlining-v0"

#: Ids, and arguments that are not the defaults, of every kind of value.
MADE: list[tuple[str, dict[str, Any]]] = [
    (INLINING, {"programs": ["kernels/lz", "kernels/lisp"], "inlining_default": True}),
    (INLINING, {"objective": {"text_size": 1.0, "ir_instructions": 0.5}}),
    (INLINING, {"observation": "dict", "render_mode": "ansi"}),
    (EVICTION, {"programs": "kernels/lz", "reward": "dense"}),
    (PRIORITY, {"programs": "kernels/lz", "function": "each"}),
    ("mlcompiler/LoopDistribution-v0", {"agents": 2}),
    ("mlcompiler/PassOrdering-v0", {"programs": "kernels/lz", "deadline": 20.0}),
]

COPIES: list[Callable[[Any], Any]] = [
    lambda env: pickle.loads(pickle.dumps(env)),
    lambda env: cloudpickle.loads(cloudpickle.dumps(env)),
    copy.deepcopy,
    copy.copy,
]


def first_episode(env: Any) -> list[Any]:
    """What an environment gives at fixed actions."""
    observation, info = env.reset(seed=3)
    seen = [observation, info]
    for _ in range(3):
        mask = info.get("action_mask")
        action: Any = np.flatnonzero(mask)[-1] if mask is not None else 0
        if env.unwrapped.setup.config.task == "regalloc_priority":
            action = np.array([0.5], np.float32)
        *result, info = env.step(action)
        seen += [*result, info]
        if result[2] or result[3]:
            break
    env.close()
    return seen


@pytest.mark.parametrize(("env_id", "settings"), MADE)
def test_a_copy_is_made_from_the_same_arguments(
    env_id: str, settings: dict[str, Any]
) -> None:
    env: Any = gym.make(env_id, **settings)
    copies = [each(env) for each in COPIES]
    expected = first_episode(env)
    for each in copies:
        assert type(each) is type(env)
        assert each.spec == env.spec
        assert each.render_mode == env.render_mode
        assert each.unwrapped.setup.config == env.unwrapped.setup.config
        np.testing.assert_equal(first_episode(each), expected)


@pytest.mark.parametrize("copied", COPIES)
def test_a_compile_under_way_is_not_lost_silently(
    copied: Callable[[Any], Any], service: LocalService
) -> None:
    env: Any = gym.make(INLINING, programs="kernels/lisp", service=service)
    env.reset(seed=0)
    env.step(1)
    with pytest.raises(RunningError, match=r"fork\(\).*replay\(\).*close\(\)"):
        copied(env)
    # It has not been touched, and the way out is one.
    twin = env.unwrapped.fork()
    with pytest.raises(RunningError):
        copied(twin)
    assert twin.step(0)[1:] == env.step(0)[1:]
    twin.close()
    env.close()
    copied(env).close()
    # What cannot be pickled raises TypeError in Python.
    assert issubclass(RunningError, TypeError)


def test_a_fork_pickles_as_its_original(service: LocalService) -> None:
    env = mlcompiler_gym.InliningEnv(programs="kernels/lz", service=service)
    env.reset()
    twin = env.fork()
    twin.close()
    env.close()
    again = pickle.loads(pickle.dumps(twin))
    assert again.setup.config == env.setup.config
    assert again.setup.programs.names == ["kernels/lz"]


def test_vector_environments() -> None:
    envs = gym.make_vec(
        INLINING, num_envs=2, programs="kernels/lisp", autoreset_mode="SameStep"
    )
    again = pickle.loads(pickle.dumps(envs))
    assert again.num_envs == 2
    assert again.autoreset_mode is envs.unwrapped.autoreset_mode
    seen, _ = envs.reset(seed=0)
    with pytest.raises(RunningError):
        pickle.dumps(envs)
    np.testing.assert_array_equal(again.reset(seed=0)[0], seen)
    for each in (envs, again):
        each.close()
    pickle.dumps(envs)


def test_services(any_service: Service) -> None:
    """A pickled environment compiles where its original did."""
    env = gym.make(INLINING, programs="kernels/lz", service=any_service)
    again = pickle.loads(pickle.dumps(env))
    service: Service = again.unwrapped.setup.service
    assert type(service) is type(any_service)
    if isinstance(any_service, GrpcService):
        assert isinstance(service, GrpcService)
        assert service.address == any_service.address
    assert first_episode(again)[0].shape == (38,)
    service.close()


def test_the_shared_service_stays_shared() -> None:
    env = gym.make(INLINING, programs="kernels/lz")
    again = pickle.loads(pickle.dumps(env))
    assert again.unwrapped.setup.service is LocalService.shared()
    own = pickle.loads(pickle.dumps(LocalService("--sandbox=off")))
    assert own is not LocalService.shared()
    assert own._arguments == ("--sandbox=off",)


def make_one(seed: int = 0) -> CompilerEnv:
    env = gym.make(INLINING, programs="kernels/lz").unwrapped
    assert isinstance(env, CompilerEnv)
    return env


@pytest.mark.parametrize("vector", [SyncVectorEnv, AsyncVectorEnv])
def test_gymnasiums_vector_environments(vector: Callable[..., Any]) -> None:
    """Lambdas travel by cloudpickle; what they make is made over there."""
    ready = gym.make(INLINING, programs="kernels/lz")
    envs = vector([lambda: make_one(), partial(make_one, 1), lambda: ready])
    observations, infos = envs.reset(seed=0)
    assert observations.shape == (3, 38)
    assert list(infos["program"]) == ["kernels/lz"] * 3
    observations, _, terminated, _, _ = envs.step(np.array([0, 1, 0]))
    assert not terminated.any()
    np.testing.assert_array_equal(observations[0], observations[2])
    envs.close()


@pytest.mark.parametrize(
    "start_method", ["fork", pytest.param("forkserver", marks=pytest.mark.slow)]
)
def test_stable_baselines_subprocesses(start_method: str) -> None:
    ready = gym.make(INLINING, programs="kernels/lz")
    envs = SubprocVecEnv([lambda: make_one(), lambda: ready], start_method=start_method)
    assert envs.reset().shape == (2, 38)  # type: ignore[union-attr]
    _, rewards, dones, infos = envs.step(np.array([0, 0]))
    assert rewards.tolist() == [0.0, 0.0]
    assert not dones.any()
    assert len(infos) == 2
    envs.close()


def test_step_rewards_travel() -> None:
    reward = StepReward({"ir_instructions": 1.0}, scale="baseline")
    env: Any = gym.make(
        "mlcompiler/PassOrdering-v0", programs="kernels/lz", reward=reward
    )
    again = pickle.loads(pickle.dumps(env))
    assert again.unwrapped.setup.step_reward == env.unwrapped.setup.step_reward
