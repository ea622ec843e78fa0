# SPDX-License-Identifier: Apache-2.0
"""Evolution strategies: CMA-ES on the weights of a small network."""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.client import LocalService
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.errors import MissingLibraryError, ServiceError, TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.compilers import make_compilers
from mlcompiler_gym.training.networks import DenseNetwork, Network, place_of
from mlcompiler_gym.training.rounds import (
    Learner,
    RoundSettings,
    hold_out,
    train_in_rounds,
)
from mlcompiler_gym.training.shared_network import SharedNetwork

#: What a program counts as whose compile a candidate did not survive.
_FAILED = 1.0
#: Sessions that wait for the next candidate.
_PARKED = 512

#: What is compiled, as ``reset(options=...)`` takes it.
Case: TypeAlias = dict[str, Any]


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
        hidden: Size of the one hidden layer; 0: the actions are linear in the inputs.
            Where the environment shows numbers of each action, units of each action.
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
    :class:`~mlcompiler_gym.training.shared_network.SharedNetwork`.

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
        further = {}
        self._service = None
        if assignment.settings.get("function") == "each":
            # Each function waits at its first decision from one candidate to the next.
            self._service = LocalService(f"--parked-sessions={_PARKED}")
            further["service"] = self._service
        self._compilers = make_compilers(assignment, programs, settings.envs, further)
        space = self._compilers.single_action_space
        if not isinstance(space, spaces.Discrete):
            self._compilers.close()
            raise TrainingError(
                f"the actions of {assignment.env_id} are a {space}; this takes one "
                "choice of several"
            )
        self._cases = self._find_cases(programs, assignment)
        self._network = self._make_network()
        start = self._network.start
        population = settings.population or 4 + int(3 * math.log(len(start)))
        self.method = "CMA-ES" if settings.full else "separable CMA-ES"
        self._state: Any = (CMA if settings.full else SepCMA)(
            start, settings.deviation, seed=settings.seed, population_size=population
        )

    def learn(self) -> None:
        for _ in range(self._settings.generations):
            rng = np.random.default_rng(
                [self._settings.seed, self._state.generation, len(self._cases)]
            )
            count = min(self._settings.programs, len(self._cases))
            drawn = rng.choice(len(self._cases), count, replace=False)
            cases = [self._cases[index] for index in sorted(drawn.tolist())]
            self._state.tell(
                [
                    (weights, self._value(weights, cases))
                    for weights in (
                        self._state.ask() for _ in range(self._state.population_size)
                    )
                ]
            )

    def policy(self) -> PortablePolicy:
        return self._network.policy(self._state._mean)

    def state(self) -> bytes:
        return pickle.dumps(self._state)

    def restore(self, state: bytes) -> None:
        self._state = pickle.loads(state)

    def close(self) -> None:
        self._compilers.close()
        if self._service is not None:
            self._service.close()

    def _find_cases(
        self, programs: Sequence[Program], assignment: Assignment
    ) -> list[Case]:
        """What is compiled: programs, or functions of them that raise decisions."""
        setup = self._compilers.setup
        if not setup.each_function:
            return [{"program": program} for program in programs]
        cases: list[Case] = []
        for done, program in enumerate(programs):
            assignment.progress("find functions", done, len(programs))
            try:
                found = functions_with_decisions(setup, program)
            except ServiceError as error:
                if error.code not in OF_THE_COMPILE:
                    raise
                continue
            found.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
            for function in found[: self._settings.functions]:
                cases.append({"program": program, "function": function})
        assignment.progress("find functions", len(programs), len(programs))
        return cases

    def _make_network(self) -> Network:
        """What is evolved; how large its inputs are, chance decides."""
        settings = self._settings
        made = self._compilers.rollouts(
            "random",
            self._cases[: settings.programs],
            seed=settings.seed,
            features=True,
        )
        made = [each for each in made if each.features is not None]
        if not sum(len(each.actions) for each in made):
            raise TrainingError("there is nothing to decide: no program asks anything")
        setup = self._compilers.setup
        if settings.begin and place_of(self._compilers, settings.begin) is None:
            raise TrainingError(
                f"the environment does not show {settings.begin!r}, the action to "
                f"begin with; it shows {', '.join(setup.features.names)}"
            )
        if setup.features.columns.places.size:
            return SharedNetwork(
                self._compilers,
                made,
                settings.hidden,
                settings.begin or setup.spec.heuristic.feature,
                settings.prior,
                settings.seed,
            )
        return DenseNetwork(self._compilers, made, settings.hidden, settings.prior)

    def _value(self, weights: NDArray[np.float64], cases: Sequence[Case]) -> float:
        """How a candidate comes out against LLVM; less is better."""
        made = self._compilers.rollouts(self._network.policy(weights), cases)
        clip = self._settings.clip
        return fmean(min(max(_against_llvm(each), -clip), clip) for each in made)


def _against_llvm(made: Rollout) -> float:
    """The logarithm of the objective against LLVM's."""
    if "error" in made.info or "objective" not in made.info:
        return _FAILED
    (value,) = made.info["objective"].values()
    (baseline,) = made.info["baseline"].values()
    if min(value, baseline) <= 0:
        return 0.0 if value == baseline else _FAILED
    return math.log(value / baseline)
