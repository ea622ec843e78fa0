# SPDX-License-Identifier: Apache-2.0
"""One episode: what is known of a compile between reset and its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlcompiler_gym.envs.scoring import values_of
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.service import Session
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Errors that are of this compile and not of how it was asked for: the episode
#: ends truncated and the next one may well work.
_OF_THE_COMPILE = frozenset(
    {
        "CRASHED",
        "DEADLINE_EXCEEDED",
        "INVALID_PROGRAM",
        "OUT_OF_MEMORY",
        "SESSION_LOST",
    }
)

#: What ``step`` returns.
StepResult = tuple[Any, float, bool, bool, dict[str, Any]]


@dataclass
class Stats:
    """What an environment has done so far.

    Here and not in ``info``, which must not differ between two equal runs.

    Attributes:
        episodes: Episodes begun.
        parked: Of these, how many began as a fork of a parked session.
        steps: Decisions answered.
        crashes: Episodes that ended with an error.
        reset_seconds: Wall-clock time spent in ``reset``.
        step_seconds: Wall-clock time spent in ``step`` (of a vector environment
            also in ``send`` and ``recv``), baselines included.
        baseline_seconds: Of that, time spent compiling baselines.
    """

    episodes: int = 0
    parked: int = 0
    steps: int = 0
    crashes: int = 0
    reset_seconds: float = 0.0
    step_seconds: float = 0.0
    baseline_seconds: float = 0.0


@dataclass
class Episode:
    """A program under compilation and the actions taken so far."""

    setup: Setup
    program: Program
    session: Session
    observation: Any = None
    actions: list[int] = field(default_factory=list)
    #: The pipeline has run to its end, or the session was lost.
    over: bool = False
    #: No call to ``step`` may follow.
    done: bool = False
    values: dict[str, float] | None = None

    def begin(self) -> tuple[Any, dict[str, Any]]:
        """What ``reset`` returns, from the reply that opened the session."""
        info: dict[str, Any] = {"program": self.program.name}
        state = self.session.opened.state
        if state.HasField("outcome"):
            info["no_decision"] = True
            self.over = True
            self.observation = self.setup.features.zero()
        else:
            self.observation = self.setup.features.decode(state.features)
        return self.observation, info

    def advance(self, action: int, state: pb.State) -> StepResult | None:
        """Take the reply of a step; None if the pipeline has reached its end."""
        self.actions.append(action)
        if state.HasField("features"):
            self.observation = self.setup.features.decode(state.features)
            return self.observation, 0.0, False, False, {}
        self.over = True
        self.values = values_of(state.outcome)
        return None

    def end(self, baseline: dict[str, float]) -> StepResult:
        """The last step, which pays the reward."""
        assert self.values is not None
        self.done = True
        info = {
            "program": self.program.name,
            "objective": dict(self.values),
            "baseline": dict(baseline),
        }
        reward = self.setup.scoring.reward(self.values, baseline)
        self.observation = self.setup.features.zero()
        return self.observation, reward, True, False, info

    def end_without_decision(self) -> StepResult:
        """The only step of a program that raises no decision."""
        self.done = True
        info = {"program": self.program.name, "no_decision": True}
        return self.observation, 0.0, True, False, info

    def end_with_error(self, error: ServiceError) -> StepResult:
        """A step that the compiler did not survive.

        Raises:
            ServiceError: It is not the compile's fault but the request's.
        """
        if error.code not in _OF_THE_COMPILE:
            raise error
        self.over = self.done = True
        info = {
            "program": self.program.name,
            "error": error.message,
            "error_code": error.code,
        }
        self.observation = self.setup.features.zero()
        return self.observation, 0.0, False, True, info
