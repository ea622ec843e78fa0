# SPDX-License-Identifier: Apache-2.0
"""From the arguments of ``gym.make`` to everything that an environment needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from mlcompiler_gym.envs.actions import Actions, make_actions
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.scoring import Scoring
from mlcompiler_gym.envs.spaces import FeatureDecoder
from mlcompiler_gym.programs import ProgramsLike, ProgramSource, load_programs
from mlcompiler_gym.service import Service, find_service
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


class Settings(TypedDict, total=False):
    """What every environment takes; :class:`CompilerEnv` says what each means."""

    programs: ProgramsLike
    objective: str | Mapping[str, float] | None
    observation: Literal["flat", "dict"]
    pipeline: str | None
    level: str | None
    target: str | None
    cpu: str | None
    clang_flags: Sequence[str]
    deadline: float | None
    memory_limit: int | None
    service: Service | str | None


@dataclass(frozen=True)
class Setup:
    """What the environments of one ``gym.make`` share."""

    service: Service
    programs: ProgramSource
    config: CompileConfig
    scoring: Scoring
    features: FeatureDecoder
    actions: Actions
    #: Pay what a function adds to the reward as soon as it is done.
    dense: bool = False
    #: An episode for each function that decisions come up in.
    each_function: bool = False


def find_task(name: str, specs: Sequence[pb.TaskSpec]) -> pb.TaskSpec:
    """What the service says of a task."""
    for spec in specs:
        if spec.name == name:
            return spec
    known = ", ".join(spec.name for spec in specs)
    raise ValueError(f"unknown task {name!r}; known: {known}")


def make_setup(
    task: str,
    options: Mapping[str, str],
    *,
    programs: ProgramsLike = "kernels",
    objective: str | Mapping[str, float] | None = None,
    observation: Literal["flat", "dict"] = "flat",
    pipeline: str | None = None,
    level: str | None = None,
    target: str | None = None,
    cpu: str | None = None,
    clang_flags: Sequence[str] = (),
    deadline: float | None = 300.0,
    memory_limit: int | None = 4 << 30,
    service: Service | str | None = None,
    function: str | None = None,
    reward: Literal["final", "dense"] = "final",
) -> Setup:
    """Check every argument and look up what the service says of the task."""
    if observation not in ("flat", "dict"):
        raise ValueError(f"observation is 'flat' or 'dict', not {observation!r}")
    if reward not in ("final", "dense"):
        raise ValueError(f"reward is 'final' or 'dense', not {reward!r}")
    for name, value in (("deadline", deadline), ("memory_limit", memory_limit)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive or None, not {value!r}")
    service = find_service(service)
    description = service.describe()
    spec = find_task(task, description.tasks)
    scoring = Scoring.parse(
        spec.default_objective if objective is None else objective,
        [o.name for o in description.objectives],
    )
    pipeline = pipeline or spec.default_pipeline
    if level is None:
        level = "O2" if "<O2>" in pipeline or "<O3>" in pipeline else "Oz"
    config = CompileConfig(
        task=task,
        pipeline=pipeline,
        level=level,
        target=target or "",
        cpu=cpu or "",
        function="" if function is None or function == "each" else function,
        options=dict(options),
        objectives=tuple(scoring.weights),
        deadline_ms=0 if deadline is None else max(1, round(deadline * 1000)),
        memory_bytes=memory_limit or 0,
    )
    return Setup(
        service=service,
        programs=load_programs(
            programs, target=target, level=level, clang_flags=clang_flags
        ),
        config=config,
        scoring=scoring,
        features=FeatureDecoder(
            [f for f in spec.features if not f.option or options[f.option] == "true"],
            flat=observation == "flat",
        ),
        actions=make_actions(spec),
        dense=reward == "dense",
        each_function=function == "each",
    )
