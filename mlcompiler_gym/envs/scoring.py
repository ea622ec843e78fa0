# SPDX-License-Identifier: Apache-2.0
"""From measured values to a reward."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from mlcompiler_gym.client import Service, Work, block, opening
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Roughly how many bytes a function's name and its values by objective take in memory.
_FUNCTION_BYTES = 512


@dataclass(frozen=True)
class Scoring:
    """Objectives and the weight of each in the reward."""

    weights: Mapping[str, float]

    @classmethod
    def parse(
        cls, objective: str | Mapping[str, float], known: Sequence[str]
    ) -> Scoring:
        """From the name of one objective, or a dict of weights by name."""
        weights = {objective: 1.0} if isinstance(objective, str) else dict(objective)
        if not weights:
            raise ValueError("an objective is needed; known: " + ", ".join(known))
        for name in weights:
            if name not in known:
                raise ValueError(
                    f"unknown objective {name!r}; known: {', '.join(known)}"
                )
            if not math.isfinite(weights[name]):
                raise ValueError(f"the weight of {name} is {weights[name]}")
        return cls({name: float(weight) for name, weight in weights.items()})

    def reward(
        self, values: Mapping[str, float], baseline: Mapping[str, float]
    ) -> float:
        """Weighted sum of the relative gains over the heuristic compiler.

        ``(b - v) / b`` for each objective: 0.05 is 5% better than LLVM's own
        decisions. Where the heuristic's value is 0, the gain is ``b - v``.
        """
        return sum(
            weight * (baseline[name] - values[name]) / (baseline[name] or 1.0)
            for name, weight in self.weights.items()
        )

    def part(
        self, values: Mapping[str, float], whole: Baseline, function: str
    ) -> float:
        """What one function adds to the reward.

        Args:
            values: The function's, of objectives that are sums over functions.
            whole: The heuristic compiler's.
            function: Name of the function.
        """
        own = whole.functions.get(function, {})
        return sum(
            self.weights[name]
            * (own.get(name, 0.0) - value)
            / (whole.values[name] or 1.0)
            for name, value in values.items()
        )


@dataclass(frozen=True)
class Baseline:
    """What LLVM's own heuristics reach.

    Attributes:
        values: By objective.
        functions: By function and objective, of objectives that are sums over
            functions.
        object_code: What they compile to; empty unless runs are measured.
    """

    values: dict[str, float]
    functions: dict[str, dict[str, float]]
    object_code: bytes = b""

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return len(self.object_code) + _FUNCTION_BYTES * len(self.functions)


def values_of(
    outcome: pb.Outcome | pb.FunctionOutcome | pb.State | pb.Alternative,
) -> dict[str, float]:
    """Measured values by objective."""
    return {m.objective: m.value for m in outcome.measurements}


def baseline_key(config: CompileConfig, program: Program) -> Hashable:
    """Everything that the heuristic compiler's values depend on."""
    return (
        program.sha256,
        config.baseline_pipeline or config.pipeline,
        config.target,
        config.cpu,
        config.function,
        config.objectives,
        bool(config.measured),
    )


def baseline(service: Service, config: CompileConfig, program: Program) -> Baseline:
    """What LLVM's own heuristics reach on the same program, options and target.

    Compiled when first asked for, and remembered by the service.

    Raises:
        ServiceError: The program cannot be compiled.
    """
    return block(find_baseline(service, config, program))


def find_baseline(
    service: Service, config: CompileConfig, program: Program
) -> Work[Baseline]:
    """:func:`baseline` as work."""
    key = baseline_key(config, program)
    known: Baseline | None = service.baselines.get(key)
    if known is not None:
        return known
    session = yield from opening(service, config.baseline_request(), program)
    object_code = b""
    try:
        if config.measured:
            object_code = yield from session.emitting("object")
    finally:
        session.close()
    outcome = session.opened.state.outcome
    found = Baseline(
        values_of(outcome),
        {each.function: values_of(each) for each in outcome.functions},
        object_code,
    )
    service.baselines.put(key, found)
    return found
