# SPDX-License-Identifier: Apache-2.0
"""One episode: what is known of a compile between reset and its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.client import Session
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.scoring import Baseline, values_of
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import ErrorCode, ServiceError
from mlcompiler_gym.measuring.errors import MeasureError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Errors that are of this compile and not of how it was asked for: the episode
#: ends truncated and the next one may well work.
OF_THE_COMPILE = frozenset(
    {
        ErrorCode.BROKEN_MODULE,
        ErrorCode.CRASHED,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.INVALID_PROGRAM,
        ErrorCode.OUT_OF_MEMORY,
        ErrorCode.SESSION_LOST,
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
    config: CompileConfig
    session: Session
    #: The heuristic compiler's values, if they are needed before the end.
    baseline: Baseline | None = None
    observation: Any = None
    #: Which actions are legal now (int8, shape (n,)); None if they always are.
    mask: NDArray[np.int8] | None = None
    actions: list[Action] = field(default_factory=list)
    #: Rewards so far.
    paid: float = 0.0
    #: The pipeline has run to its end, or the session was lost.
    over: bool = False
    #: No call to ``step`` may follow.
    done: bool = False
    values: dict[str, float] | None = None

    def begin(self) -> tuple[Any, dict[str, Any]]:
        """What ``reset`` returns, from the reply that opened the session."""
        state = self.session.opened.state
        if state.HasField("outcome"):
            self.over = True
            self.observation = self.setup.features.zero()
            info = {"no_decision": True, **self._legal(None)}
        else:
            info = self._observe(state)
        return self.observation, {"program": self.program.name, **info}

    def _observe(self, state: pb.State) -> dict[str, Any]:
        """Take the features of a decision; what there is to say besides."""
        self.observation = self.setup.features.decode(state)
        info = self._legal(state.legal)
        if function := state.function:
            info["function"] = function
        return info

    def _legal(self, legal: bytes | None) -> dict[str, Any]:
        self.mask = self.setup.actions.mask(legal)
        return {} if self.mask is None else {"action_mask": self.mask}

    def advance(self, actions: Sequence[Action], state: pb.State) -> StepResult | None:
        """Take the reply of a step; None if the pipeline has reached its end."""
        self.actions.extend(actions)
        if state.HasField("features"):
            reward = 0.0
            if self.baseline is not None and state.finished:
                reward = sum(
                    self.setup.scoring.part(values_of(f), self.baseline, f.function)
                    for f in state.finished
                )
                self.paid += reward
            info = self._observe(state)
            return self.observation, reward, False, False, info
        self.over = True
        self.values = values_of(state.outcome)
        return None

    def end(self, baseline: Baseline) -> StepResult:
        """The last step, which pays the reward, or what is left of it."""
        assert self.values is not None
        self.done = True
        values, baselines, spread = dict(self.values), dict(baseline.values), {}
        if self.config.measured:
            # Nothing is run by those who do not ask for it.
            from mlcompiler_gym.envs.measured import compare

            try:
                measured = compare(self.setup, self.program, self.session, baseline)
            except MeasureError as error:
                return self._truncate(str(error), ErrorCode.NOT_MEASURED)
            values.update(measured[0])
            baselines.update(measured[1])
            spread = measured[2]
            self.values = values
        info = {
            "program": self.program.name,
            "objective": values,
            "baseline": baselines,
            **spread,
            **self._legal(None),
        }
        if self.config.function:
            info["function"] = self.config.function
        reward = self.setup.scoring.reward(values, baselines) - self.paid
        self.paid += reward
        self.observation = self.setup.features.zero()
        return self.observation, reward, True, False, info

    def end_without_decision(self) -> StepResult:
        """The only step of a program that raises no decision."""
        self.done = True
        info = {
            "program": self.program.name,
            "no_decision": True,
            **self._legal(None),
        }
        return self.observation, 0.0, True, False, info

    def end_with_error(self, error: ServiceError) -> StepResult:
        """A step that the compiler did not survive.

        Raises:
            ServiceError: It is not the compile's fault but the request's.
        """
        if error.code not in OF_THE_COMPILE:
            raise error
        return self._truncate(error.message, error.code)

    def _truncate(self, error: str, code: ErrorCode) -> StepResult:
        self.over = self.done = True
        info = {
            "program": self.program.name,
            "error": error,
            "error_code": code,
            **self._legal(None),
        }
        self.observation = self.setup.features.zero()
        return self.observation, 0.0, False, True, info
