# SPDX-License-Identifier: Apache-2.0
"""Many compilers to learn from at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium

import mlcompiler_gym
from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.policies import settings_for
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.assignment import Assignment


def make_compilers(
    assignment: Assignment,
    programs: Sequence[Program],
    count: int,
    further: Mapping[str, Any] | None = None,
) -> CompilerVectorEnv:
    """Environments of an assignment, as SB3 expects them.

    Args:
        assignment: With the settings.
        programs: What they compile.
        count: How many compile at the same time.
        further: Settings beside those of the assignment.

    Raises:
        TrainingError: There is no such environment, not with such settings, or it has
            several objectives.
    """
    gymnasium.register_envs(mlcompiler_gym)
    # A policy decides by features, however they were observed.
    settings = {**assignment.settings, **(further or {}), "observation": "flat"}
    try:
        made = gymnasium.make_vec(
            assignment.env_id,
            num_envs=count,
            programs=list(programs),
            autoreset_mode="SameStep",
            **settings,
        ).unwrapped
    except (gymnasium.error.Error, TypeError, ValueError) as error:
        raise TrainingError(f"{assignment.env_id}: {error}") from error
    if not isinstance(made, CompilerVectorEnv):
        raise TrainingError(f"{assignment.env_id} is no environment of a compiler")
    if len(made.setup.scoring.weights) > 1:
        made.close()
        raise TrainingError("policies are judged by one objective; name a single one")
    return made


def settings_of(assignment: Assignment, policy: str) -> dict[str, Any]:
    """Settings that a policy needs, beside those of the assignment.

    Raises:
        TrainingError: The task has no such policy.
    """
    gymnasium.register_envs(mlcompiler_gym)
    env = gymnasium.make(assignment.env_id, **assignment.settings)
    try:
        return settings_for(env, policy)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    finally:
        env.close()
