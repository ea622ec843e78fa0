# SPDX-License-Identifier: Apache-2.0
"""Evolution strategies: CMA-ES on the weights of a small network."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from mlcompiler_gym.errors import MissingLibraryError, TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
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
class ESSettings(RoundSettings):
    """How a network is evolved; a round is a number of generations.

    Attributes:
        generations: How many are in a round.
        population: Candidates of a generation; 0: as many as the library takes.
        programs: How many programs each candidate of a generation plays, the same
            ones all. With ``function="each"``, how many functions.
        functions: How many functions are learned from of a program, at most, by their
            hash.
        chance: Only programs, or functions, are learned from that one of so many
            random episodes changes; 0: all are. Many functions come out the same
            whatever is decided, and say nothing.
        hidden: Size of the one hidden layer; 0: the actions are linear in the inputs.
            Where the environment shows numbers of each action, units of each action.
            Where the action is a number, units beside two of each feature.
        deviation: The standard deviation that weights are drawn with at first.
        full: Learn how weights depend on each other (CMA-ES with a full covariance
            matrix): for a few hundred weights at most.
        begin: The feature with an action that is preferred at first, where the
            environment shows numbers of each action. Empty: LLVM's own action, if it
            is shown.
        prior: Log-odds of that action at first; of LLVM's own where there are only two
            actions.
        clip: A program counts as better or worse by at most this logarithm: otherwise
            a few that are much worse would decide.
        envs: How many programs are compiled at the same time.
    """

    generations: int = 5
    population: int = 0
    programs: int = 16
    functions: int = 4
    chance: int = 0
    hidden: int = 0
    deviation: float = 0.3
    full: bool = False
    begin: str = ""
    prior: float = 2.0
    clip: float = math.inf
    envs: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population and self.population < 5:
            raise TrainingError("a population has 5 candidates or more")


def train_es(assignment: Assignment, settings: ESSettings) -> Trained:
    """Evolve the weights of a network by the CMA-ES of the library cmaes.

    A candidate plays whole episodes inside the sessions, and is judged by the mean
    logarithm of the objective against LLVM's. Where the environment shows numbers of
    each action, the network scores each by the same weights: see
    :class:`~mlcompiler_gym.training.shared_network.SharedNetwork`. Where the action is
    a number, what is learned is added to LLVM's: see
    :class:`~mlcompiler_gym.training.number_network.NumberNetwork`.

    Raises:
        EvaluationError: Playing cannot go on.
        MissingLibraryError: cmaes is not installed.
        TrainingError: The task is none of one choice or one number, or there is only
            one package.
    """
    learned, judged = hold_out(assignment.programs, settings)
    learner = _Evolver(assignment, learned, settings)
    return train_in_rounds(learner, assignment, judged, settings)


class _Evolver(Learner):
    """A distribution of weights."""

    def __init__(
        self,
        assignment: Assignment,
        programs: Sequence[Program],
        settings: ESSettings,
    ) -> None:
        try:
            from cmaes import CMA, SepCMA
        except ModuleNotFoundError as error:
            raise MissingLibraryError("cmaes", "learning") from error
        self._settings = settings
        self._arena = Arena(assignment, programs, settings)
        start = self._arena.network.start
        population = settings.population or 4 + int(3 * math.log(len(start)))
        self.method = "CMA-ES" if settings.full else "separable CMA-ES"
        self._state: Any = (CMA if settings.full else SepCMA)(
            start, settings.deviation, seed=settings.seed, population_size=population
        )

    def learn(self) -> Lesson:
        before = self._arena.compiles
        told: list[tuple[Any, float]] = []
        for _ in range(self._settings.generations):
            rng = np.random.default_rng(
                [self._settings.seed, self._state.generation, len(self._arena.cases)]
            )
            count = min(self._settings.programs, len(self._arena.cases))
            drawn = rng.choice(len(self._arena.cases), count, replace=False)
            cases = [self._arena.cases[index] for index in sorted(drawn.tolist())]
            told = [
                (weights, fmean(self._arena.logs(weights, cases)))
                for weights in (
                    self._state.ask() for _ in range(self._state.population_size)
                )
            ]
            self._state.tell(told)
        # All candidates of the last generation, in the mean.
        ratio = math.exp(fmean(log for _, log in told))
        return Lesson({"compiles": self._arena.compiles - before}, {RATIO: ratio})

    def policy(self) -> PortablePolicy:
        return self._arena.policy(self._state._mean)

    def state(self) -> bytes:
        # cmaes leaves its generator of random numbers out of what is pickled.
        return pickle.dumps((self._state, self._state._rng))

    def restore(self, state: bytes) -> None:
        self._state, self._state._rng = pickle.loads(state)

    def close(self) -> None:
        self._arena.close()
