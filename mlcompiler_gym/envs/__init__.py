# SPDX-License-Identifier: Apache-2.0
"""The environments."""

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.step_reward import StepReward
from mlcompiler_gym.envs.trajectory import Trajectory, replay
from mlcompiler_gym.envs.vector import CompilerVectorEnv

__all__ = [
    "CompilerEnv",
    "CompilerVectorEnv",
    "StepReward",
    "Trajectory",
    "replay",
]
