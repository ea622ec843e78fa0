# SPDX-License-Identifier: Apache-2.0
"""Playing a submitted policy, which is data."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.errors import EvaluationError, PolicyError, ServiceError
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.naming import policy_maker
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.leaderboard.tracks import Track
from mlcompiler_gym.policies import PortablePolicy, complete_settings, play
from mlcompiler_gym.programs import Program

#: What a named policy that draws its actions draws them by.
_SEED = 0


class Decider:
    """Decides by a policy, program by program.

    Args:
        track: Whose environment it plays in.
        content: The policy's file.

    Raises:
        PolicyError: It is broken, or not for this track.
    """

    def __init__(self, track: Track, content: bytes) -> None:
        policy = PortablePolicy.from_bytes(content)
        try:
            self._env, self._compiler = make_env(_shown(track, policy))
            self._make = policy_maker(policy)
            self._make(self._env, _SEED)
        except (EvaluationError, ValueError) as error:
            raise PolicyError(str(error)) from error
        self._seconds = 0.0
        #: Decisions that are still wanted; None: all.
        self._left: int | None = None

    def decide(
        self, program: Program, count: int | None = None
    ) -> tuple[list[Action], float]:
        """The decisions of a compile, and the seconds that deciding took.

        Args:
            program: What is compiled.
            count: Only the first so many decisions, and no more of the compile.
                ``None``: all.

        Raises:
            PolicyError: It cannot decide from what is observed.
            ServiceError: The compiler did not survive it.
        """
        self._seconds = 0.0
        self._left = count
        self._policy = self._make(self._env, _SEED)
        try:
            end = play(self._env, self._timed, options={"program": program})
        except ValueError as error:
            raise PolicyError(str(error)) from error
        if "error" in end.info:
            raise ServiceError(end.info["error_code"], end.info["error"])
        return list(self._compiler.trajectory.actions), self._seconds

    def _timed(self, observation: Any, info: dict[str, Any]) -> Any:
        if self._left is not None:
            if self._left == 0:
                return None
            self._left -= 1
        began = perf_counter()
        action = self._policy(observation, info)
        self._seconds += perf_counter() - began
        return action

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()


def _shown(track: Track, policy: PortablePolicy) -> Evaluation:
    """The environment of a track, which shows what a policy decides from.

    What it observes is its own affair; how the program is compiled is the track's, and
    its actions are compiled again without the rest.

    Raises:
        ValueError: The policy is of another task, or wants what the task does not have
            or the track has otherwise.
    """
    env, _ = make_env(track.evaluation(""))
    try:
        settings = complete_settings(env, policy, track.evaluation_settings())
    finally:
        env.close()
    return Evaluation(track.env, "", {**settings, "observation": "dict"})
