# SPDX-License-Identifier: Apache-2.0
"""Coordinate search: change one weight at a time, and keep what pays."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.training.arena import Arena
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.curve import RATIO
from mlcompiler_gym.training.rounds import (
    Learner,
    Lesson,
    RoundSettings,
    hold_out,
    train_in_rounds,
)


@dataclass(frozen=True)
class CoordinatesSettings(RoundSettings):
    """How weights are changed; in a round, each is tried once.

    Attributes:
        steps: What is added to a weight, and taken from it.
        confidence: A change has to pay by so many standard errors of its mean. They
            are over packages, as programs of one package are alike.
        programs: How many programs a change is tried on first. Only a change that
            pays there is tried on all. With ``function="each"``, how many functions.
        functions: How many functions are learned from of a program, at most, by their
            hash.
        chance: Only programs, or functions, are learned from that one of so many
            random episodes changes; 0: all are. Many functions come out the same
            whatever is decided, and say nothing.
        hidden: Hidden units, as of ``es``.
        begin: The feature with an action that is preferred at first, as of ``es``.
        prior: The weight of that action at first, as of ``es``.
        clip: A program counts as better or worse by at most this logarithm.
        envs: How many programs are compiled at the same time.
    """

    steps: tuple[float, ...] = (2.0, 0.7)
    confidence: float = 1.0
    programs: int = 64
    functions: int = 4
    chance: int = 0
    hidden: int = 0
    begin: str = ""
    prior: float = 1.0
    clip: float = 0.25
    envs: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.steps or min(self.steps) <= 0:
            raise TrainingError(f"steps are numbers above 0, not {self.steps}")


def train_coordinates(assignment: Assignment, settings: CoordinatesSettings) -> Trained:
    """Begin as LLVM, and change one weight of a network at a time.

    A change is tried in whole episodes, inside the sessions. It is kept if the mean
    logarithm of the objective becomes lower by more than chance explains. This finds a
    few numbers that matter among many that do not.

    Raises:
        EvaluationError: Playing cannot go on.
        TrainingError: The task is none of one choice or one number, or there is only
            one package.
    """
    learned, judged = hold_out(assignment.programs, settings)
    learner = _Walker(assignment, learned, settings)
    return train_in_rounds(learner, assignment, judged, settings)


class _Walker(Learner):
    """Weights, and what they come to."""

    method = "coordinate search"

    def __init__(
        self,
        assignment: Assignment,
        programs: Sequence[Program],
        settings: CoordinatesSettings,
    ) -> None:
        self._settings = settings
        self._arena = Arena(assignment, programs, settings)
        # In such an order that the first are a mixture.
        rng = np.random.default_rng(settings.seed)
        cases = self._arena.cases
        self._cases = [cases[place] for place in rng.permutation(len(cases))]
        names = [package_of(case["program"].name) for case in self._cases]
        self._packages = np.unique(names, return_inverse=True)[1]
        self._weights = self._arena.network.start
        self._logs: NDArray[np.float64] | None = None
        self._rounds = 0

    def learn(self) -> Lesson:
        before = self._arena.compiles
        if self._logs is None:
            self._logs = np.array(self._arena.logs(self._weights, self._cases))
        rng = np.random.default_rng([self._settings.seed, self._rounds])
        for place in rng.permutation(len(self._weights)):
            self._change(int(place))
        self._rounds += 1
        ratio = math.exp(self._logs.mean())
        return Lesson({"compiles": self._arena.compiles - before}, {RATIO: ratio})

    def policy(self) -> PortablePolicy:
        return self._arena.policy(self._weights)

    def state(self) -> bytes:
        return pickle.dumps((self._weights, self._logs, self._rounds))

    def restore(self, state: bytes) -> None:
        self._weights, self._logs, self._rounds = pickle.loads(state)

    def close(self) -> None:
        self._arena.close()

    def _change(self, place: int) -> None:
        """Take the best change of a weight, if one pays."""
        assert self._logs is not None
        best = self._weights, self._logs
        for step in self._settings.steps:
            for change in (step, -step):
                weights = self._weights.copy()
                weights[place] += change
                logs = self._logs_if_it_pays(weights)
                if logs is not None and logs.mean() < best[1].mean():
                    best = weights, logs
        self._weights, self._logs = best

    def _logs_if_it_pays(
        self, weights: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """What all cases come to, if they come to less than before."""
        assert self._logs is not None
        first = self._settings.programs
        logs = self._arena.logs(weights, self._cases[:first])
        if np.mean(logs - self._logs[:first]) >= 0:
            return None
        logs += self._arena.logs(weights, self._cases[first:])
        changes = np.array(logs) - self._logs
        mean = changes.mean()
        by_package = np.bincount(self._packages, changes - mean)
        error = float(np.sqrt((by_package**2).sum())) / len(changes)
        if mean >= -self._settings.confidence * error:
            return None
        return np.array(logs)
