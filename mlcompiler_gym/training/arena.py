# SPDX-License-Identifier: Apache-2.0
"""Where weights of a small network are tried: programs, or functions of programs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from gymnasium import spaces

from mlcompiler_gym.client import LocalService
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.errors import ServiceError, TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.assignment import Assignment
from mlcompiler_gym.training.compilers import make_compilers
from mlcompiler_gym.training.networks import DenseNetwork, Network, place_of
from mlcompiler_gym.training.number_network import NumberNetwork
from mlcompiler_gym.training.playing import against_llvm
from mlcompiler_gym.training.shared_network import SharedNetwork

#: Sessions that wait for the next candidate.
_PARKED = 512

#: What is compiled, as ``reset(options=...)`` takes it.
Case: TypeAlias = dict[str, Any]


class NetworkSettings(Protocol):
    """What is said of the network, and of what it is tried on.

    Attributes:
        programs: Programs, or functions, that chance plays to see how large inputs are.
        functions: Functions of a program, at most.
        chance: Only programs, or functions, are learned from that one of so many
            random episodes changes; 0: all are.
        hidden: See :class:`DenseNetwork` and :class:`SharedNetwork`.
        begin: The feature with an action that is preferred at first, where the
            environment shows numbers of each action. Empty: LLVM's own action.
        prior: Log-odds of that action at first.
        clip: A program counts as better or worse by at most this logarithm.
        envs: How many programs are compiled at the same time.
        seed: Draws what is drawn.
    """

    @property
    def programs(self) -> int: ...  # noqa: D102
    @property
    def functions(self) -> int: ...  # noqa: D102
    @property
    def chance(self) -> int: ...  # noqa: D102
    @property
    def hidden(self) -> int: ...  # noqa: D102
    @property
    def begin(self) -> str: ...  # noqa: D102
    @property
    def prior(self) -> float: ...  # noqa: D102
    @property
    def clip(self) -> float: ...  # noqa: D102
    @property
    def envs(self) -> int: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102


class Arena:
    """A network, and what its weights are tried on.

    Args:
        assignment: With the environment.
        programs: What is learned from. With ``function="each"``, functions of these.
        settings: The network's.

    Attributes:
        cases: What can be compiled.
        network: The network.
        compiles: How many cases have been compiled to try weights.

    Raises:
        TrainingError: The task is none of one choice or one number, or nothing is
            decided.
    """

    def __init__(
        self,
        assignment: Assignment,
        programs: Sequence[Program],
        settings: NetworkSettings,
    ) -> None:
        self._settings = settings
        further = {}
        self._service = None
        if assignment.settings.get("function") == "each":
            # Each function waits at its first decision from one candidate to the next.
            self._service = LocalService(f"--parked-sessions={_PARKED}")
            further["service"] = self._service
        self._compilers = make_compilers(assignment, programs, settings.envs, further)
        space = self._compilers.single_action_space
        self._number = isinstance(space, spaces.Box) and space.shape == (1,)
        if not (self._number or isinstance(space, spaces.Discrete)):
            self.close()
            raise TrainingError(
                f"the actions of {assignment.env_id} are a {space}; this takes one "
                "choice of several, or one number"
            )
        self.compiles = 0
        self.cases = self._find_cases(programs, assignment)
        if settings.chance:
            self.cases = self._changed_by_chance(assignment)
        self.network = self._make_network()

    def policy(self, weights: Any) -> PortablePolicy:
        """The policy of some weights."""
        return self.network.policy(weights)

    def logs(self, weights: Any, cases: Sequence[Case]) -> list[float]:
        """Logarithms of the objective against LLVM's, clipped; less is better."""
        made = self._compilers.rollouts(self.policy(weights), cases)
        self.compiles += len(cases)
        clip = self._settings.clip
        return [min(max(against_llvm(each.info), -clip), clip) for each in made]

    def close(self) -> None:
        """End all compiles."""
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

    def _changed_by_chance(self, assignment: Assignment) -> list[Case]:
        """The cases of which some random episode does not come to LLVM's result."""
        count = self._settings.chance
        made = self._compilers.rollouts(
            "random",
            self.cases,
            count,
            seed=self._settings.seed,
            progress=lambda done, total: assignment.progress(
                "leave out what nothing changes", done, total
            ),
        )
        return [
            case
            for number, case in enumerate(self.cases)
            if any(
                against_llvm(each.info)
                for each in made[number * count : (number + 1) * count]
            )
        ]

    def _make_network(self) -> Network:
        """The network. Random decisions show how large its inputs are."""
        settings = self._settings
        made = self._compilers.rollouts(
            "random",
            self.cases[: settings.programs],
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
        if self._number:
            return NumberNetwork(self._compilers, made, settings.hidden, settings.seed)
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
