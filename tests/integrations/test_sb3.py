# SPDX-License-Identifier: Apache-2.0
"""Stable-Baselines3 on our vector environment."""

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from mlcompiler_gym.integrations.sb3 import CompilerVecEnv

ENV_ID = "mlcompiler/Inlining-v0"
PROGRAMS = ["kernels/hashes", "kernels/lisp"]


def make(num_envs: int) -> CompilerVecEnv:
    return CompilerVecEnv(
        gymnasium.make_vec(
            ENV_ID, num_envs, programs=PROGRAMS, autoreset_mode="SameStep"
        )
    )


def test_equals_sb3s_own_vector_environment() -> None:
    ours = make(3)
    theirs = DummyVecEnv([lambda: gymnasium.make(ENV_ID, programs=PROGRAMS)] * 3)
    ours.seed(5)
    theirs.seed(5)
    np.testing.assert_array_equal(np.asarray(ours.reset()), np.asarray(theirs.reset()))
    rng = np.random.default_rng(0)
    episodes = 0
    for _ in range(150):
        actions = rng.integers(2, size=3)
        obs, rewards, dones, infos = ours.step(actions)
        their_obs, their_rewards, their_dones, their_infos = theirs.step(actions)
        np.testing.assert_array_equal(np.asarray(obs), np.asarray(their_obs))
        np.testing.assert_allclose(rewards, their_rewards, rtol=1e-6)
        np.testing.assert_array_equal(dones, their_dones)
        for done, info, their_info in zip(dones, infos, their_infos, strict=True):
            if done:
                episodes += 1
                np.testing.assert_array_equal(
                    info["terminal_observation"], their_info["terminal_observation"]
                )
                assert info["TimeLimit.truncated"] == their_info["TimeLimit.truncated"]
                assert info["objective"] == their_info["objective"]
    assert episodes
    ours.close()
    theirs.close()


def test_ppo_trains_and_sees_whole_episodes() -> None:
    envs = VecMonitor(make(4))
    model = PPO("MlpPolicy", envs, n_steps=64, device="cpu", seed=0)
    model.learn(512)
    assert len(model.ep_info_buffer or []) > 0
    assert {episode["l"] > 20 for episode in model.ep_info_buffer or []} == {True}
    envs.close()


def test_the_wrong_autoreset_mode_is_named() -> None:
    envs = gymnasium.make_vec(ENV_ID, 2, programs=PROGRAMS)
    with pytest.raises(ValueError, match="SameStep"):
        CompilerVecEnv(envs)
    envs.close()
