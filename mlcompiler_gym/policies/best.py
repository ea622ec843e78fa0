# SPDX-License-Identifier: Apache-2.0
"""The action that comes out best when each is tried in a copy of the compile."""

from __future__ import annotations

from time import monotonic
from typing import Any

import gymnasium
import numpy as np

from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.policies.baselines import compiler_of

#: IR instructions that are compiled to find an action, those of the program counted
#: once for each action that is tried: below a second of a processor, most often.
WORK = 30_000
#: Actions that are tried even if the program is larger than that.
_AT_LEAST = 2


class Best:
    """Takes the action that pays most.

    Each is tried in a copy of the compile, in order, as long as there is work left.
    How much that is does not depend on the machine, so that the same program always
    gets the same action, unless a time is given.

    Args:
        env: An environment for pass ordering.
        work: IR instructions to compile at most, the program's once for each action;
            two actions are tried in any case.
        seconds: Wall-clock time after which no other action is begun; None: no limit.

    Attributes:
        tried: How many actions were tried for the latest decision.

    Raises:
        ValueError: The task measures nothing before its end.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        work: int = WORK,
        seconds: float | None = None,
    ) -> None:
        compiler = compiler_of(env)
        if not isinstance(compiler, PassOrderingEnv):
            raise ValueError(
                f"the policy 'best' is for pass ordering; for {compiler.task}, "
                "action_values says what each action is worth"
            )
        self.tried = 0
        self._env = compiler
        self._work = work
        self._seconds = seconds

    def __call__(self, observation: Any, info: dict[str, Any]) -> int:
        """The best action, the first of several; a single one is not tried."""
        until = None if self._seconds is None else monotonic() + self._seconds
        legal = np.flatnonzero(self._env.action_masks()).tolist()
        found: tuple[float, int] | None = None
        self.tried = 0
        if len(legal) == 1:
            return int(legal[0])
        for action in legal[: self._affordable()]:
            if self.tried and until is not None and monotonic() >= until:
                break
            self.tried += 1
            reward = self._reward_of(action)
            if reward is not None and (found is None or reward > found[0]):
                found = reward, action
        return int(legal[0]) if found is None else found[1]

    def _affordable(self) -> int:
        """How many actions there is work for."""
        size = self._env.measure("ir_instructions")["ir_instructions"]
        return max(_AT_LEAST, int(self._work // max(size, 1.0)))

    def _reward_of(self, action: int) -> float | None:
        """What it pays; None if the compiler does not survive it."""
        with self._env.fork() as twin:
            _, reward, _, _, info = twin.step(action)
        return None if "error" in info else float(reward)


def best(env: gymnasium.Env[Any, Any]) -> Best:
    """Tries actions in copies of the compile, and takes the best; see :class:`Best`.

    Args:
        env: An environment for pass ordering.

    Raises:
        ValueError: The task measures nothing before its end.
    """
    return Best(env)
