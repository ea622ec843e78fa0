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
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation, signed_log
from mlcompiler_gym.errors import MissingLibraryError, TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.compilers import make_compilers
from mlcompiler_gym.training.rounds import (
    Learner,
    RoundSettings,
    hold_out,
    train_in_rounds,
)
from mlcompiler_gym.v1 import policy_pb2 as pb

#: What a program counts as whose compile a candidate did not survive.
_FAILED = 1.0


@dataclass(frozen=True)
class ESSettings(RoundSettings):
    """How a network is evolved; a round is a number of generations.

    Attributes:
        generations: How many are in a round.
        population: Candidates of a generation; 0: as many as the library takes.
        programs: How many programs each candidate of a generation plays, the same
            ones all.
        hidden: Size of the one hidden layer; 0: the actions are linear in the inputs.
        deviation: The standard deviation that weights are drawn with at first.
        prior: Log-odds of LLVM's own decision at first, where the environment shows
            it and there are two actions.
        envs: How many programs are compiled at the same time.
    """

    generations: int = 5
    population: int = 0
    programs: int = 16
    hidden: int = 0
    deviation: float = 0.3
    prior: float = 2.0
    envs: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population and self.population < 5:
            raise TrainingError("a population has 5 candidates or more")


def train_es(assignment: Assignment, settings: ESSettings) -> Trained:
    """Evolve the weights of a network by the separable CMA-ES of the library cmaes.

    A candidate plays whole episodes inside the sessions, and is judged by the mean
    logarithm of the objective against LLVM's.

    Raises:
        EvaluationError: Playing cannot go on.
        MissingLibraryError: cmaes is not installed.
        TrainingError: The task is none of one discrete action, or there is only one
            package.
    """
    learned, judged = hold_out(assignment.programs, settings)
    learner = _Evolver(assignment, learned, settings)
    return train_in_rounds(learner, assignment, judged, settings)


class _Evolver(Learner):
    """A distribution of weights."""

    method = "separable CMA-ES"

    def __init__(
        self,
        assignment: Assignment,
        programs: Sequence[Program],
        settings: ESSettings,
    ) -> None:
        try:
            from cmaes import SepCMA
        except ModuleNotFoundError as error:
            raise MissingLibraryError("cmaes", "learning") from error
        self._settings, self._programs = settings, list(programs)
        self._compilers = make_compilers(assignment, programs, settings.envs)
        self._envs = SignedLogVectorObservation(self._compilers)
        space = self._compilers.single_action_space
        if not isinstance(space, spaces.Discrete):
            self._compilers.close()
            raise TrainingError(
                f"the actions of {assignment.env_id} are a {space}; this takes one "
                "choice of several"
            )
        self._outputs = 1 if space.n == 2 else int(space.n)
        self._scale = self._scales()
        start = self._start()
        population = settings.population or 4 + int(3 * math.log(len(start)))
        self._state: Any = SepCMA(
            start, settings.deviation, seed=settings.seed, population_size=population
        )

    def learn(self) -> None:
        for _ in range(self._settings.generations):
            rng = np.random.default_rng(
                [self._settings.seed, self._state.generation, len(self._programs)]
            )
            count = min(self._settings.programs, len(self._programs))
            drawn = rng.choice(len(self._programs), count, replace=False)
            programs = [self._programs[index] for index in sorted(drawn.tolist())]
            self._state.tell(
                [
                    (weights, self._value(weights, programs))
                    for weights in (
                        self._state.ask() for _ in range(self._state.population_size)
                    )
                ]
            )

    def policy(self) -> PortablePolicy:
        return self._made(self._state._mean)

    def state(self) -> bytes:
        return pickle.dumps(self._state)

    def restore(self, state: bytes) -> None:
        self._state = pickle.loads(state)

    def close(self) -> None:
        self._compilers.close()

    def _scales(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of the inputs where chance decides."""
        made = self._compilers.rollouts(
            "random",
            self._programs[: self._settings.programs],
            seed=self._settings.seed,
            features=True,
        )
        rows = [each.features for each in made if each.features is not None]
        if not sum(map(len, rows)):
            raise TrainingError("there is nothing to decide: no program asks anything")
        seen = signed_log(np.concatenate(rows)).astype(np.float64)
        deviation = seen.std(axis=0)
        return seen.mean(axis=0), np.where(deviation > 0, deviation, 1.0)

    def _shape(self) -> list[tuple[int, int]]:
        inputs = len(self._scale[0])
        if not self._settings.hidden:
            return [(inputs, self._outputs)]
        return [(inputs, self._settings.hidden), (self._settings.hidden, self._outputs)]

    def _start(self) -> NDArray[np.float64]:
        """Weights that decide as LLVM does, if that is shown; else zeros."""
        layers = [np.zeros((rows + 1, columns)) for rows, columns in self._shape()]
        place = self._place_of_llvm()
        if place is not None:
            mean, deviation = (float(each[place]) for each in self._scale)
            # 1 where LLVM takes action 1, and -1 where it does not.
            slope = 2 / math.log(2)
            first = np.zeros(len(layers[0]))
            first[place] = slope * deviation
            first[-1] = slope * mean - 1
            layers[0][:, 0] = first * math.sqrt(len(first) - 1)
            if len(layers) == 1:
                layers[0] *= self._settings.prior
            else:
                layers[0] *= 2  # so that tanh makes it about 1
                layers[1][0, 0] = self._settings.prior * math.sqrt(len(layers[1]) - 1)
        return np.concatenate([each.ravel() for each in layers])

    def _place_of_llvm(self) -> int | None:
        """Which input LLVM's own decision between two actions is, if it is shown."""
        setup = self._compilers.setup
        place = 0
        for name, elements in setup.features.task_names:
            if name == setup.spec.heuristic.feature and self._outputs == 1:
                return place
            place += elements
        return None

    def _made(self, weights: NDArray[np.float64]) -> PortablePolicy:
        """The policy of some weights."""
        inputs = Inputs(self._envs)
        mean, deviation = self._scale
        layers = Layers(inputs.size)
        rest = weights
        for number, (rows, columns) in enumerate(self._shape()):
            taken, rest = np.split(rest, [(rows + 1) * columns])
            matrix = taken.reshape(rows + 1, columns) / math.sqrt(rows)
            if number == 0:
                # The weights are for inputs scaled to mean 0 and deviation 1.
                matrix[:-1] /= deviation[:, None]
                matrix[-1] -= mean @ matrix[:-1]
            layers.affine(matrix[:-1], matrix[-1], f"layer {number}")
            if number + 1 < len(self._shape()):
                layers.activate(pb.Dense.TANH)
        return finish(inputs, pb.Model(network=layers.network(inputs)), layers.width)

    def _value(
        self, weights: NDArray[np.float64], programs: Sequence[Program]
    ) -> float:
        """How a candidate comes out against LLVM; less is better."""
        made = self._compilers.rollouts(self._made(weights), programs)
        return fmean(map(_against_llvm, made))


def _against_llvm(made: Rollout) -> float:
    """The logarithm of the objective against LLVM's."""
    if "error" in made.info or "objective" not in made.info:
        return _FAILED
    (value,) = made.info["objective"].values()
    (baseline,) = made.info["baseline"].values()
    if min(value, baseline) <= 0:
        return 0.0 if value == baseline else _FAILED
    return math.log(value / baseline)
