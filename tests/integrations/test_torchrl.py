# SPDX-License-Identifier: Apache-2.0
"""TorchRL on a vector of compilers."""

import pytest
from torchrl.envs import check_env_specs

from mlcompiler_gym.envs.inlining import make_vector
from mlcompiler_gym.envs.regalloc import make_eviction_vector, make_priority_vector
from mlcompiler_gym.integrations.torchrl import CompilerTorchRLEnv


def test_masked_random_actions_are_legal_and_episodes_go_on() -> None:
    envs = make_eviction_vector(
        2, programs="kernels/lz", function="each", autoreset_mode="Disabled"
    )
    env = CompilerTorchRLEnv(envs)
    env.set_seed(0)
    check_env_specs(env)
    made = env.rollout(60, break_when_any_done=False)
    assert made.batch_size == (2, 60)
    assert made["next", "done"].sum() >= 2
    masks, actions = made["action_mask"], made["action"]
    assert masks.gather(-1, actions.unsqueeze(-1)).all()
    # Only the step that ends an episode pays.
    paid = made["next", "reward"][~made["next", "done"]]
    assert (paid == 0).all()
    env.close()


def test_what_it_does_not_take_is_refused() -> None:
    envs = make_vector(1, programs="kernels/lz")
    with pytest.raises(ValueError, match="autoreset_mode='Disabled'"):
        CompilerTorchRLEnv(envs)
    envs.close()
    envs = make_priority_vector(1, programs="kernels/lz", autoreset_mode="Disabled")
    with pytest.raises(ValueError, match="one discrete action"):
        CompilerTorchRLEnv(envs)
    envs.close()
