# SPDX-License-Identifier: Apache-2.0
"""The environments."""

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.inlining import InliningEnv
from mlcompiler_gym.envs.loop_distribution import LoopDistributionEnv
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.envs.regalloc import RegAllocEvictionEnv, RegAllocPriorityEnv
from mlcompiler_gym.envs.step_reward import StepReward
from mlcompiler_gym.envs.trajectory import Trajectory, replay
from mlcompiler_gym.envs.vector import CompilerVectorEnv

__all__ = [
    "CompilerEnv",
    "CompilerVectorEnv",
    "InliningEnv",
    "PassOrderingEnv",
    "LoopDistributionEnv",
    "RegAllocEvictionEnv",
    "RegAllocPriorityEnv",
    "StepReward",
    "Trajectory",
    "replay",
]
