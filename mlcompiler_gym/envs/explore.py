# SPDX-License-Identifier: Apache-2.0
"""Actions tried in copies of a session, and what comes back of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlcompiler_gym.client import Work, error_of
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.rollout import PolicyData, play_request
from mlcompiler_gym.envs.scoring import Baseline, find_baseline, values_of
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import MLCompilerGymError, PolicyError
from mlcompiler_gym.measuring.errors import MeasureError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


class ActionValues(dict[Action, dict[str, float]]):
    """By action, what the objectives come to, by name.

    Attributes:
        errors: By action, why it has no value. Each of their
            objectives is NaN.
    """

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[Action, MLCompilerGymError] = {}


def explore_request(
    setup: Setup,
    policy: PolicyData,
    seed: int | None,
    actions: Sequence[Action] | None,
    parallel: int | None,
    *,
    decisions: Sequence[int] = (),
    features: bool = False,
    others_only: bool = False,
) -> pb.Explore:
    """The ``Explore`` of a policy.

    Raises:
        ValueError: ``parallel`` is not a number of copies, or there is a policy for
            what follows an action where nothing does.
    """
    if parallel is not None and parallel < 1:
        raise ValueError(f"parallel is a number from 1 on, not {parallel}")
    if setup.step_reward is None:
        play = play_request(setup.config.task, policy, seed, features=features)
    elif policy == "llvm" and seed is None:
        play = pb.Play()
    else:
        raise ValueError(
            f"{setup.config.task} has no end of its own: an action is worth what comes "
            "of it alone; leave out the policy and the seed"
        )
    return pb.Explore(
        policy=play,
        decisions=decisions,
        actions=b"" if actions is None else setup.actions.encode(actions),
        others_only=others_only,
        parallel=parallel or 0,
        objects=bool(setup.config.measured),
    )


@dataclass(frozen=True)
class Appraiser:
    """Makes values of what the service says of an alternative.

    Attributes:
        setup: What the environment was made with.
        program: What is compiled.
        baseline: What LLVM's own heuristics reach; None unless runs are measured.
    """

    setup: Setup
    program: Program
    baseline: Baseline | None

    @classmethod
    def make(
        cls, setup: Setup, config: CompileConfig, program: Program
    ) -> Work[Appraiser]:
        """With a baseline, if it takes one."""
        baseline = None
        if config.measured:
            baseline = yield from find_baseline(setup.service, config, program)
        return cls(setup, program, baseline)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of what is measured."""
        return (*self.setup.config.objectives, *self.setup.config.measured)

    def values(
        self, tried: pb.Alternative
    ) -> tuple[dict[str, float], MLCompilerGymError | None]:
        """By objective, NaN for an error.

        Raises:
            PolicyError: The policy could not decide.
        """
        if tried.stopped:
            raise PolicyError(tried.stopped)
        nothing = dict.fromkeys(self.objectives, math.nan)
        if tried.HasField("error"):
            return nothing, error_of(tried.error)
        try:
            return self.complete(values_of(tried), tried.object), None
        except MeasureError as error:
            return nothing, error

    def complete(
        self, values: dict[str, float], object_code: bytes
    ) -> dict[str, float]:
        """Add the values that are measured by running the program.

        Raises:
            MeasureError: It could not be run.
        """
        if self.baseline is None:
            return values
        # What runs programs is imported only where a user asks for that.
        from mlcompiler_gym.envs.measured import compare

        measured = compare(self.setup, self.program, object_code, self.baseline)
        return {**values, **measured[0]}


def read_values(
    setup: Setup, reply: pb.ExploreReply, appraiser: Appraiser
) -> ActionValues:
    """The values of the actions of one decision.

    Raises:
        PolicyError: The policy could not decide.
    """
    if reply.stopped:
        raise PolicyError(reply.stopped)
    found = ActionValues()
    for tried in reply.decisions[0].alternatives:
        taken: Any = setup.actions.decode(tried.action)[0].tolist()
        action: Action = tuple(taken) if isinstance(taken, list) else taken
        found[action], error = appraiser.values(tried)
        if error is not None:
            found.errors[action] = error
    return found
