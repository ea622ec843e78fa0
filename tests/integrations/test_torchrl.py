# SPDX-License-Identifier: Apache-2.0
"""TorchRL on a vector of compilers."""

import gymnasium as gym
import pytest
from torchrl.envs import check_env_specs

import mlcompiler_gym
from mlcompiler_gym.integrations.torchrl import CompilerTorchRLEnv

gym.register_envs(mlcompiler_gym)


def test_masked_random_actions_are_legal_and_episodes_go_on() -> None:
    envs = gym.make_vec(
        "mlcompiler/RegAllocEviction-v0",
        num_envs=2,
        programs="kernels/lz",
        function="each",
        autoreset_mode="Disabled",
    )
    env = CompilerTorchRLEnv(envs)
    env.set_seed(0)
    check_env_specs(env)
    made = env.rollout(60, break_when_any_done=False)
    assert made.batch_size == (2, 60)
    assert made["next", "done"].sum() > 2
    masks, actions = made["action_mask"], made["action"]
    assert masks.gather(-1, actions.unsqueeze(-1)).all()
    # Only the step that ends an episode pays.
    paid = made["next", "reward"][~made["next", "done"]]
    assert (paid == 0).all()
    env.close()


def test_what_it_does_not_take_is_refused() -> None:
    envs = gym.make_vec("mlcompiler/Inlining-v0", num_envs=1, programs="kernels/lz")
    with pytest.raises(ValueError, match="autoreset_mode='Disabled'"):
        CompilerTorchRLEnv(envs)
    envs.close()
    envs = gym.make_vec(
        "mlcompiler/RegAllocPriority-v0",
        num_envs=1,
        programs="kernels/lz",
        autoreset_mode="Disabled",
    )
    with pytest.raises(ValueError, match="one discrete action"):
        CompilerTorchRLEnv(envs)
    envs.close()
