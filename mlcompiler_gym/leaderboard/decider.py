# SPDX-License-Identifier: Apache-2.0
"""Playing a submitted policy, which is data."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

from mlcompiler_gym.errors import PolicyError, ServiceError
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.leaderboard.tracks import Track
from mlcompiler_gym.policies import PortablePolicy, play
from mlcompiler_gym.programs import Program


class Decider:
    """Decides by a policy, program by program.

    Args:
        track: Whose environment it plays in.
        content: The policy's file.

    Raises:
        PolicyError: It is broken, or not for this track.
    """

    def __init__(self, track: Track, content: bytes) -> None:
        self._policy = load(content)
        settings = track.evaluation_settings()
        env, compiler = make_env(track.evaluation(""))
        config = compiler.setup.config
        known = {option.name for option in compiler.setup.spec.options}
        described = compiler.setup.service.describe().observations
        env.close()
        if self._policy.task not in ("", config.task):
            raise PolicyError(
                f"the policy decides {self._policy.task}, and the track is of "
                f"{config.task}"
            )
        # What it observes is its own affair; how the program is compiled is not, and
        # its actions are compiled again without these.
        for name, value in self._policy.options.items():
            if name not in known:
                raise PolicyError(f"{config.task} has no option {name!r}")
            settings.setdefault(name, _value(value))
        wanted = {each.feature for each in self._policy.message.model.inputs}
        if seen := [each.name for each in described if each.name in wanted]:
            settings["observations"] = seen
        shown = Evaluation(track.env, "", {**settings, "observation": "dict"})
        self._env, self._compiler = make_env(shown)
        self._seconds = 0.0

    def decide(self, program: Program) -> tuple[list[int | float], float]:
        """All decisions of a compile, and the seconds that deciding took.

        Raises:
            PolicyError: It cannot decide from what is observed.
            ServiceError: The compiler did not survive it.
        """
        self._seconds = 0.0
        try:
            end = play(self._env, self._timed, options={"program": program})
        except ValueError as error:
            raise PolicyError(str(error)) from error
        if "error" in end.info:
            raise ServiceError(end.info["error_code"], end.info["error"])
        return list(self._compiler.trajectory.actions), self._seconds

    def _timed(self, observation: Any, info: dict[str, Any]) -> Any:
        began = perf_counter()
        action = self._policy(observation, info)
        self._seconds += perf_counter() - began
        return action

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()


def load(content: bytes) -> PortablePolicy:
    """The policy in a submitted file.

    Raises:
        PolicyError: It is broken, or only a name.
    """
    policy = PortablePolicy.from_bytes(content)
    if policy.builtin:
        raise PolicyError(
            f"the policy is one by name, {policy.builtin!r}, and no submission"
        )
    return policy


def _value(text: str) -> Any:
    """``True`` of ``"true"``, 2.0 of ``"2.0"``, and other text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
