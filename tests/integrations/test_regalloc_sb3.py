# SPDX-License-Identifier: Apache-2.0
"""Stable-Baselines3 and sb3-contrib on allocations."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from support.regalloc import (
    EVICTION,
    PRIORITY,
    TWO,
    ir,
    pressure,
    seldom_evict,
)
from support.vectors import MakeVec

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import (
    CompilerVectorEnv,
)
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv


@pytest.fixture
def make_vec(service: LocalService) -> Iterator[MakeVec]:
    """``make_vec(EVICTION, 3, …)``: environments, closed after the test."""
    made: list[CompilerVectorEnv] = []

    def make(env_id: str, num_envs: int, **settings: Any) -> CompilerVectorEnv:
        settings = {"service": service, **settings}
        envs = gymnasium.make_vec(env_id, num_envs=num_envs, **settings)
        assert isinstance(envs, CompilerVectorEnv)
        made.append(envs)
        return envs

    yield make
    for envs in made:
        envs.close()


def test_masks_as_stable_baselines_asks_for_them(make_vec: MakeVec) -> None:
    envs = make_vec(EVICTION, 3, autoreset_mode="SameStep", programs=TWO)
    adapter = CompilerVecEnv(envs)
    adapter.reset()
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(400):
        masks = np.stack(adapter.env_method("action_masks"))
        assert masks.shape == (3, 33)
        np.testing.assert_array_equal(masks, envs.action_masks())
        [second] = adapter.env_method("action_masks", indices=[1])
        np.testing.assert_array_equal(second, masks[1])
        observations, _, dones, infos = adapter.step(
            np.array([seldom_evict(mask, rng) for mask in masks])
        )
        # The masks are of the episode that goes on or has just begun.
        assert isinstance(observations, np.ndarray)
        seen = observations[:, :33]
        np.testing.assert_array_equal(seen, adapter.env_method("action_masks"))
        endings += int(dones.sum())
        assert all("objective" in infos[i] for i in np.flatnonzero(dones))
    assert endings


@pytest.mark.slow
def test_maskable_ppo_trains(make_vec: MakeVec) -> None:
    contrib = pytest.importorskip("sb3_contrib")
    programs = ir(pressure("one", 26), "one")
    envs = make_vec(EVICTION, 2, autoreset_mode="SameStep", programs=programs)
    model = contrib.MaskablePPO(
        "MlpPolicy", CompilerVecEnv(envs), n_steps=64, device="cpu", seed=0
    )
    model.learn(256)
    assert model.num_timesteps == 256


@pytest.mark.slow
def test_ppo_trains_on_priorities(make_vec: MakeVec) -> None:
    envs = make_vec(PRIORITY, 2, autoreset_mode="SameStep", programs=TWO)
    model = PPO("MlpPolicy", CompilerVecEnv(envs), n_steps=64, device="cpu", seed=0)
    model.learn(256)
    assert model.num_timesteps == 256
