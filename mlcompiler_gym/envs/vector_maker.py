# SPDX-License-Identifier: Apache-2.0
"""From a task's settings to a vector environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gymnasium.vector import AutoresetMode

from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.envs.vector import CompilerVectorEnv


def vector_maker(make_setup: Callable[..., Setup]) -> Callable[..., CompilerVectorEnv]:
    """What Gymnasium's ``make_vec`` calls for a task.

    Args:
        make_setup: Checks the arguments that the task's environment takes.
    """

    def make_vector(
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        batch_size: int | None = None,
        render_mode: None = None,
        **settings: Any,
    ) -> CompilerVectorEnv:
        return CompilerVectorEnv(
            make_setup(**settings),
            num_envs,
            autoreset_mode=autoreset_mode,
            batch_size=batch_size,
        )

    return make_vector
