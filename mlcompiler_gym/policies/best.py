# SPDX-License-Identifier: Apache-2.0
"""The action that comes out best when each is tried in a copy of the compile."""

from __future__ import annotations

from typing import Any

import gymnasium

from mlcompiler_gym.best_action import WORK
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.policies.baselines import compiler_of


class Best:
    """Takes the action that pays most.

    The first actions are tried in copies of the compile, as many as there is work for.
    How many that is does not depend on the machine, so that the same program always
    gets the same action.

    Args:
        env: An environment for pass ordering.
        work: IR instructions to compile at most, the program's once for each action;
            two actions are tried in any case.

    Attributes:
        tried: How many actions were tried for the latest decision.

    Raises:
        ValueError: The task measures nothing before its end.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], *, work: int = WORK) -> None:
        compiler = compiler_of(env)
        if not isinstance(compiler, PassOrderingEnv):
            raise ValueError(
                f"the policy 'best' is for pass ordering; for {compiler.task}, "
                "action_values says what each action is worth"
            )
        self.tried = 0
        self._env = compiler
        self._work = work

    def __call__(self, observation: Any, info: dict[str, Any]) -> int:
        """The best action, the first of several; a single one is not tried."""
        action, self.tried = self._env.best_action(work=self._work)
        return action


def best(env: gymnasium.Env[Any, Any]) -> Best:
    """Tries actions in copies of the compile, and takes the best; see :class:`Best`.

    Args:
        env: An environment for pass ordering.

    Raises:
        ValueError: The task measures nothing before its end.
    """
    return Best(env)
