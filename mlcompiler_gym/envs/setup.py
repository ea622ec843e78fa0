# SPDX-License-Identifier: Apache-2.0
"""From the arguments of ``gym.make`` to everything that an environment needs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.client import Service, find_service
from mlcompiler_gym.envs.actions import Actions, make_actions
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.keywords import check_keywords
from mlcompiler_gym.envs.observer import Observer
from mlcompiler_gym.envs.options import encode_options
from mlcompiler_gym.envs.scoring import Scoring
from mlcompiler_gym.envs.step_reward import StepReward
from mlcompiler_gym.measuring import OBJECTIVES, Measuring, split_objectives
from mlcompiler_gym.programs import ProgramsLike, ProgramSource, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


class DecisionReward(Protocol):
    """What decisions pay by what was seen of them, not by what they come to."""

    def __call__(
        self, rows: NDArray[np.float32], actions: NDArray[Any]
    ) -> NDArray[np.float64]:
        """What each decision pays, shape (n,).

        Args:
            rows: Shape (n, numbers), the numbers of the observation of each.
            actions: Shape (n,), what was done.
        """


@dataclass(frozen=True)
class Setup:
    """What the environments of one ``gym.make`` share."""

    service: Service
    #: What the service says of the task.
    spec: pb.TaskSpec
    programs: ProgramSource
    config: CompileConfig
    scoring: Scoring
    features: Observer
    actions: Actions
    #: Pay what a function adds to the reward as soon as it is done.
    dense: bool = False
    #: An episode for each function that decisions come up in.
    each_function: bool = False
    #: What each step pays, in tasks that have no end.
    step_reward: StepReward | None = None
    #: What each decision pays by what was seen of it. None: what it comes to pays.
    decision_reward: DecisionReward | None = None
    #: How runs are measured.
    measuring: Measuring = field(default_factory=Measuring)

    @property
    def needs_baseline(self) -> bool:
        """Whether the heuristic compiler's values are needed before the end."""
        return self.dense or (
            self.step_reward is not None and self.step_reward.scale == "baseline"
        )


def make_setup(
    task: str,
    settings: Mapping[str, Any],
    *,
    beside: Iterable[str] = (),
    step_reward: StepReward | None = None,
    baseline_pipeline: str = "",
) -> Setup:
    """Check every argument and look up what the service says of the task.

    Args:
        task: Its name.
        settings: The arguments that :class:`~mlcompiler_gym.envs.core.CompilerEnv` has,
            and the task's own options.
        beside: Names of other arguments that the caller takes.
        step_reward: What each step pays, in tasks that have no end.
        baseline_pipeline: What the heuristic compiler runs; empty: the same pipeline.

    Raises:
        TypeError: There is an argument that the task does not take.
        ValueError: An argument is not what it may be.
    """
    service = find_service(settings.get("service"))
    declared = service.describe_task(task, {})
    own = {option.name for option in declared.options}
    known = own | _SETTINGS | set(beside)
    if declared.kind != pb.TaskSpec.IN_CODEGEN:
        known -= _BY_FUNCTION - set(beside)
        for name in _BY_FUNCTION & set(settings):
            raise TypeError(
                f"{task} has no argument {name!r}: only in the code generator is one "
                "function decided after the other"
            )
    check_keywords(task, settings, known)
    given = {name: value for name, value in settings.items() if name in own}
    return _make_setup(
        service,
        task,
        encode_options(declared.options, given),
        step_reward=step_reward,
        baseline_pipeline=baseline_pipeline,
        **{
            name: value
            for name, value in settings.items()
            if name not in own and name != "service"
        },
    )


def _make_setup(
    service: Service,
    task: str,
    options: Mapping[str, str],
    step_reward: StepReward | None,
    baseline_pipeline: str,
    *,
    programs: ProgramsLike | None = None,
    objective: str | Mapping[str, float] | None = None,
    observation: Literal["flat", "dict"] = "flat",
    observations: Sequence[str] = (),
    pipeline: str | None = None,
    level: str | None = None,
    target: str | None = None,
    cpu: str | None = None,
    clang_flags: Sequence[str] = (),
    profile: Literal["auto"] | None = None,
    deadline: float | None = 300.0,
    memory_limit: int | None = 4 << 30,
    measuring: Measuring | None = None,
    function: str | None = None,
    reward: Literal["final", "dense"] = "final",
) -> Setup:
    if observation not in ("flat", "dict"):
        raise ValueError(f"observation is 'flat' or 'dict', not {observation!r}")
    if reward not in ("final", "dense"):
        raise ValueError(f"reward is 'final' or 'dense', not {reward!r}")
    if profile not in ("auto", None):
        raise ValueError(f"profile is 'auto' or None, not {profile!r}")
    for name, value in (("deadline", deadline), ("memory_limit", memory_limit)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive or None, not {value!r}")
    description = service.describe()
    spec = service.describe_task(task, options)
    scoring = Scoring.parse(
        spec.default_objective if objective is None else objective,
        [*(o.name for o in description.objectives), *OBJECTIVES],
    )
    static, measured = split_objectives(scoring.weights)
    if measured and (step_reward is not None or function is not None):
        raise ValueError(
            f"{measured[0]} is measured by running the whole program at the end of "
            "its compile; "
            + (
                f"{task} has no end: use measure({measured[0]!r})"
                if step_reward is not None
                else "leave out function"
            )
        )
    pipeline = pipeline or spec.default_pipeline
    if level is None:
        optimised = baseline_pipeline or pipeline
        level = "O2" if "<O2>" in optimised or "<O3>" in optimised else "Oz"
    config = CompileConfig(
        task=task,
        pipeline=pipeline,
        level=level,
        target=target or "",
        cpu=cpu or "",
        function="" if function is None or function == "each" else function,
        options=dict(options),
        objectives=static,
        measured=measured,
        observations=_check_observations(observations),
        baseline_pipeline=baseline_pipeline,
        profile=profile or "",
        deadline_ms=0 if deadline is None else max(1, round(deadline * 1000)),
        memory_bytes=memory_limit or 0,
    )
    return Setup(
        service=service,
        spec=spec,
        programs=load_programs(
            spec.default_programs.split() if programs is None else programs,
            target=target,
            level=level,
            clang_flags=clang_flags,
        ),
        config=config,
        scoring=scoring,
        features=Observer(
            [f for f in spec.features if not f.option or options[f.option] == "true"],
            find_observations(config.observations, description.observations),
            flat=observation == "flat",
            actions=len(spec.action.meanings) if spec.action.mask else 0,
        ),
        actions=make_actions(spec),
        dense=reward == "dense",
        each_function=function == "each",
        step_reward=step_reward,
        measuring=measuring or Measuring(),
    )


#: What every environment takes.
_SETTINGS = frozenset(
    {"service"}
    | {
        name
        for name, parameter in inspect.signature(_make_setup).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
)
#: The keywords among them that only tasks of the code generator have.
_BY_FUNCTION = frozenset({"function", "reward"})


def _check_observations(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or any(not isinstance(name, str) for name in names):
        raise TypeError(f"observations is a list of names, not {names!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"an observation is named twice in {list(names)}")
    return tuple(names)


def find_observations(
    names: Sequence[str], specs: Sequence[pb.ObservationSpec]
) -> list[pb.ObservationSpec]:
    """What the service says of observations of the module.

    Raises:
        ValueError: There is none of such a name.
    """
    known = {spec.name: spec for spec in specs}
    for name in names:
        if name not in known:
            raise ValueError(
                f"unknown observation {name!r}; known: {', '.join(sorted(known))}"
            )
    return [known[name] for name in names]
