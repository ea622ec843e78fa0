# SPDX-License-Identifier: Apache-2.0
"""Episodes: what is known of a compile between reset and its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client import Session, Work
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.observer import View
from mlcompiler_gym.envs.scoring import Baseline, values_of
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import ErrorCode, ServiceError
from mlcompiler_gym.measuring.errors import MeasureError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Errors of this compile, and not of how it was requested. The episode ends truncated,
#: and the next one may well work.
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


@dataclass(frozen=True)
class FunctionResult:
    """What one function came to.

    Attributes:
        function: Its name.
        steps: How many of the decisions were in it.
        objective: By name, of objectives that are sums over functions.
        baseline: The heuristic compiler's.
    """

    function: str
    steps: int
    objective: dict[str, float]
    baseline: dict[str, float]


#: What ``step`` returns.
StepResult = tuple[Any, float, bool, bool, dict[str, Any]]

#: The same without the observation, which the episode's view shows.
Turn = tuple[float, bool, bool, dict[str, Any]]


@dataclass
class Episode:
    """A program under compilation and the actions taken so far."""

    setup: Setup
    program: Program
    config: CompileConfig
    session: Session
    #: Where observations are shown.
    view: View
    #: The heuristic compiler's values, if they are needed before the end.
    baseline: Baseline | None = None
    #: Which actions are legal now (int8, shape (n,)); None if they always are.
    mask: NDArray[np.int8] | None = None
    actions: list[Action] = field(default_factory=list)
    #: What each action has paid.
    rewards: list[float] = field(default_factory=list)
    #: The pipeline has run to its end, or the session was lost.
    over: bool = False
    #: No call to ``step`` may follow.
    done: bool = False
    values: dict[str, float] | None = None
    #: What the compiler made of each decision, if it says so.
    taken: list[dict[str, Any]] | None = None
    #: Functions that code has been generated for, in order.
    finished: list[pb.FunctionOutcome] = field(default_factory=list)
    #: What those with decisions came to, once the episode has ended.
    functions: list[FunctionResult] = field(default_factory=list)

    def begin(self) -> dict[str, Any]:
        """The info of ``reset``, from the reply that opened the session."""
        state = self.session.opened.state
        if state.HasField("outcome"):
            self.over = True
            self.view.show_nothing()
            info = {"no_decision": True, **self._legal(None)}
        else:
            info = self._observe(state)
        return {"program": self.program.name, **info}

    def _observe(self, state: pb.State) -> dict[str, Any]:
        """Take the features of a decision; return what else there is to say."""
        self.view.show(state)
        info = self._legal(state.legal) if self.setup.actions.masked else {}
        if function := state.function:
            info["function"] = function
        if label := state.label:
            info["decision"] = label
        return info

    def _legal(self, legal: bytes | None) -> dict[str, Any]:
        self.mask = self.setup.actions.mask(legal)
        return {} if self.mask is None else {"action_mask": self.mask}

    @property
    def paid(self) -> float:
        """Sum of the rewards so far."""
        return sum(self.rewards)

    def advance(
        self,
        actions: Sequence[Action],
        state: pb.State,
        measured: Sequence[float] = (),
        rows: NDArray[np.float32] | None = None,
    ) -> Turn | None:
        """Take the reply of a step; None if the pipeline has reached its end.

        Args:
            actions: The actions that were taken, not empty.
            state: Where they have led.
            measured: All objectives after each action, in open-ended tasks. Empty:
                only those after the last action are known, and ``state`` has them.
            rows: Shape (n, numbers), what each action was taken from. ``None``: the
                one action was taken from what is shown.
        """
        before = len(self.actions)
        self.actions.extend(actions)
        self.finished.extend(state.finished)
        goes_on = state.HasField("features")
        rewards = [0.0] * len(actions)
        if self.setup.decision_reward is not None:
            rows = self.view.row[np.newaxis] if rows is None else rows
            paid = self.setup.decision_reward(rows, np.asarray(actions))
            rewards = paid.tolist()
        elif self.baseline is not None:
            for finished in state.finished:
                at = finished.decisions - 1 - before
                # The part that the last decision adds is paid with the rest, at the
                # end.
                if at >= 0 and (goes_on or at + 1 < len(actions)):
                    rewards[at] += self.setup.scoring.part(
                        values_of(finished), self.baseline, finished.function
                    )
        self.rewards.extend(rewards)
        if goes_on:
            return sum(rewards), False, False, self._observe(state)
        self.over = True
        self.values = values_of(state.outcome)
        for observation in state.observations:
            if observation.name == "taken":
                self.taken = json.loads(observation.text)
        return None

    def end(self, baseline: Baseline) -> Work[Turn]:
        """The last step, which pays the reward, or what is left of it."""
        assert self.values is not None
        self.done = True
        self.functions = self._by_function(baseline)
        values, baselines = dict(self.values), dict(baseline.values)
        paid, spread = values, {}
        if self.config.measured:
            # What runs programs is imported only where a user asks for that.
            from mlcompiler_gym.envs.measured import compare, paid_values

            object_code = yield from self.session.emitting("object")
            try:
                measured = compare(self.setup, self.program, object_code, baseline)
            except MeasureError as error:
                return self._truncate(str(error), ErrorCode.NOT_MEASURED)
            values.update(measured[0])
            baselines.update(measured[1])
            spread = measured[2]
            self.values = values
            paid = paid_values(values, baselines, spread["paired"])
        info = {
            "program": self.program.name,
            "objective": values,
            "baseline": baselines,
            **spread,
            **self._legal(None),
        }
        if self.taken is not None:
            info["taken"] = self.taken
        if self.config.function:
            info["function"] = self.config.function
        if self.setup.decision_reward is None:
            self.rewards[-1] += self.setup.scoring.reward(paid, baselines) - self.paid
        self.view.show_nothing()
        return self.rewards[-1], True, False, info

    def _by_function(self, baseline: Baseline) -> list[FunctionResult]:
        results, before = [], 0
        for each in self.finished:
            steps, before = each.decisions - before, each.decisions
            values = values_of(each)
            if steps and values:
                own = baseline.functions[each.function]
                results.append(FunctionResult(each.function, steps, values, own))
        return results

    def end_without_decision(self) -> Turn:
        """The only step of a program that raises no decision."""
        self.done = True
        info = {
            "program": self.program.name,
            "no_decision": True,
            **self._legal(None),
        }
        return 0.0, True, False, info

    def end_with_error(self, error: ServiceError) -> Turn:
        """A step that the compiler did not survive.

        Raises:
            ServiceError: It is not the compile's fault but the request's.
        """
        if error.code not in OF_THE_COMPILE:
            raise error
        return self._truncate(error.message, error.code)

    def _truncate(self, error: str, code: ErrorCode) -> Turn:
        self.over = self.done = True
        info = {
            "program": self.program.name,
            "error": error,
            "error_code": code,
            **self._legal(None),
        }
        self.view.show_nothing()
        return 0.0, False, True, info


@dataclass
class OpenEndedEpisode(Episode):
    """A program under compilation for as long as the agent likes.

    Each step is measured and paid.
    """

    #: Values of the objectives before the first step.
    initial: dict[str, float] = field(default_factory=dict)

    @override
    def begin(self) -> dict[str, Any]:
        self.values = self.initial = values_of(self.session.opened.state)
        return {**super().begin(), "objective": dict(self.initial)}

    @override
    def advance(
        self,
        actions: Sequence[Action],
        state: pb.State,
        measured: Sequence[float] = (),
        rows: NDArray[np.float32] | None = None,
    ) -> Turn:
        assert self.values is not None
        names = self.config.objectives
        after = [
            dict(zip(names, measured[first : first + len(names)], strict=True))
            for first in range(0, len(measured), len(names))
        ] or [values_of(state)]
        # Where several actions are measured as one, the last of them is paid.
        rewards = [0.0] * (len(actions) - len(after))
        rewards += [self._pay(values) for values in after]
        self.actions.extend(actions)
        self.rewards.extend(rewards)
        info = self._observe(state)
        info["no_effect"] = state.no_effect
        info["objective"] = dict(self.values)
        return sum(rewards), False, False, info

    def _pay(self, values: dict[str, float]) -> float:
        """The reward of coming from the values before to these."""
        reward = self.worth(values)
        self.values = values
        return reward

    def worth(self, values: Mapping[str, float]) -> float:
        """The reward that a step would pay which came to these values."""
        assert self.values is not None
        assert self.setup.step_reward is not None
        return self.setup.step_reward(
            self.values,
            values,
            self.initial,
            None if self.baseline is None else self.baseline.values,
        )


def make_episode(
    setup: Setup, program: Program, config: CompileConfig, session: Session, view: View
) -> Episode:
    """An episode of the kind that the task has."""
    kind = Episode if setup.step_reward is None else OpenEndedEpisode
    return kind(setup, program, config, session, view)
