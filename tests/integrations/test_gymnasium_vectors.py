# SPDX-License-Identifier: Apache-2.0
"""Gymnasium's own vector environments, of environments of ours."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

import mlcompiler_gym

gym.register_envs(mlcompiler_gym)

TASKS = ("mlcompiler/Inlining-v0", "mlcompiler/RegAllocEviction-v0")


def settings_of(env_id: str) -> dict[str, Any]:
    return {"function": "each"} if "RegAlloc" in env_id else {}


def make(env_id: str) -> Any:
    settings = settings_of(env_id)
    return gym.make(env_id, programs="kernels/lz", **settings)


def play(envs: VectorEnv[Any, Any, Any], steps: int) -> list[Any]:
    """Everything that comes of the first legal actions, or of few that inline."""
    observations, infos = envs.reset(seed=3)
    seen = [observations.copy()]
    for step in range(steps):
        if "action_mask" in infos:
            actions = np.argmax(np.stack(infos["action_mask"]), axis=1)
        else:
            actions = np.full(2, int(step % 9 == 0))
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        seen += [observations.copy(), rewards, terminated, truncated]
    envs.close()
    return seen


@pytest.mark.parametrize("env_id", TASKS)
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_they_do_what_ours_does(env_id: str, mode: AutoresetMode) -> None:
    makers = [lambda: make(env_id)] * 2
    settings = settings_of(env_id)
    ours = gym.make_vec(
        env_id, num_envs=2, programs="kernels/lz", autoreset_mode=mode, **settings
    )
    expected = play(ours, 90)
    for vector in (SyncVectorEnv, AsyncVectorEnv):
        found = play(vector(makers, autoreset_mode=mode), 90)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)
    assert any(done.any() for done in expected[3::4])


def test_a_time_limit_cuts_an_episode_that_has_an_end() -> None:
    env_id = "mlcompiler/Inlining-v0"
    env: Any = gym.make(env_id, programs="kernels/lz", max_episode_steps=5)
    envs = gym.make_vec(
        env_id,
        num_envs=1,
        programs="kernels/lz",
        max_episode_steps=5,
        autoreset_mode="Disabled",
    )
    env.reset(seed=0)
    envs.reset(seed=0)
    for step in range(5):
        _, reward, terminated, truncated, _ = env.step(0)
        _, rewards, ends, cuts, _ = envs.step(np.array([0]))
        assert (reward, terminated, truncated) == (0.0, False, step == 4)
        assert (rewards[0], ends[0], cuts[0]) == (0.0, False, step == 4)
    # What the episode has come to can still be asked for.
    assert env.unwrapped.finish("inactive")[4]["objective"]["text_size"] > 0
    env.close()
    envs.close()
