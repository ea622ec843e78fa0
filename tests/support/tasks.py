# SPDX-License-Identifier: Apache-2.0
"""What tests of all tasks need of each."""

from __future__ import annotations

from typing import Any

import gymnasium

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.registration import TASKS, TaskEntry

ALL = [task.env_id for task in TASKS]

#: A program of each set that is compiled in no time and raises decisions.
QUICK = {"kernels": "kernels/lz", "loops": "loops/split_diamond"}


def make_task(env_id: str, **settings: Any) -> CompilerEnv:
    """The environment of a task, by default on a small program that suits it."""
    env = gymnasium.make(env_id, **settings).unwrapped
    assert isinstance(env, CompilerEnv)
    if "programs" in settings:
        return env
    suited = QUICK[env.setup.spec.default_programs.split()[0]]
    return make_task(env_id, programs=suited, **settings)


def entry(env_id: str) -> TaskEntry:
    """The row of a task."""
    return next(task for task in TASKS if task.env_id == env_id)
