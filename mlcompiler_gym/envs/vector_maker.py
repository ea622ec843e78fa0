# SPDX-License-Identifier: Apache-2.0
"""From a task's settings to a vector environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gymnasium.vector import AutoresetMode

from mlcompiler_gym.envs.keywords import check_keywords
from mlcompiler_gym.envs.render import RenderMode
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.envs.vector import CompilerVectorEnv


def vector_maker(
    make_setup: Callable[..., Setup], default_max_episode_steps: int | None = None
) -> Callable[..., CompilerVectorEnv]:
    """What Gymnasium's ``make_vec`` calls for a task.

    Args:
        make_setup: Checks the arguments that the task's environment takes.
        default_max_episode_steps: As registered; Gymnasium applies its
            ``TimeLimit`` to single environments only.
    """

    def make_vector(
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        batch_size: int | None = None,
        max_episode_steps: int | None = default_max_episode_steps,
        render_mode: RenderMode | None = None,
        **settings: Any,
    ) -> CompilerVectorEnv:
        own = CompilerVectorEnv.__init__
        check_keywords(CompilerVectorEnv.__name__, settings, make_setup, own)
        return CompilerVectorEnv(
            make_setup(**settings),
            num_envs,
            autoreset_mode=autoreset_mode,
            batch_size=batch_size,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    return make_vector
