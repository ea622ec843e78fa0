# SPDX-License-Identifier: Apache-2.0
"""What the episodes come to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from mlcompiler_gym.evaluation.plan import Record


@dataclass(frozen=True)
class ProgramSummary:
    """All episodes of a program, or of all programs.

    Attributes:
        episodes: How many there are.
        errors: How many of them the compiler did not survive.
        steps: Mean number of decisions.
        reward: Mean sum of rewards, of those without error.
        values: Means by objective.
        baseline: Means of what LLVM's own heuristics reach.
        ratios: Geometric means of value / baseline, by objective; lower is better.
            For all programs, the geometric mean of the programs' ratios. An objective
            is left out where one of the two is 0.
    """

    episodes: int
    errors: int
    steps: float
    reward: float | None
    values: dict[str, float]
    baseline: dict[str, float]
    ratios: dict[str, float]


def summarise(
    records: Iterable[Record],
) -> tuple[dict[str, ProgramSummary], ProgramSummary]:
    """Summaries by program, in order, and of all of them."""
    by_program: dict[str, list[Record]] = {}
    for record in records:
        by_program.setdefault(record["program"], []).append(record)
    rows = {name: _summary(each) for name, each in by_program.items()}
    total = _summary([record for each in by_program.values() for record in each])
    ratios = _geometric([row.ratios for row in rows.values()])
    return rows, ProgramSummary(**{**vars(total), "ratios": ratios})


def _summary(records: list[Record]) -> ProgramSummary:
    lived = [record for record in records if record["error_code"] is None]
    measured = [record for record in lived if record["objective"] is not None]
    return ProgramSummary(
        episodes=len(records),
        errors=len(records) - len(lived),
        steps=fmean(r["steps"] for r in records) if records else 0.0,
        reward=fmean(r["reward"] for r in lived) if lived else None,
        values=_means([r["objective"] for r in measured]),
        baseline=_means([r["baseline"] for r in measured]),
        ratios=_geometric([_ratios(record) for record in measured]),
    )


def _ratios(record: Record) -> dict[str, float]:
    values, baseline = record["objective"], record["baseline"]
    return {
        name: value / baseline[name]
        for name, value in values.items()
        if value > 0 and baseline[name] > 0
    }


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(row[name] for row in rows) for name in (rows or [{}])[0]}


def _geometric(rows: list[dict[str, float]]) -> dict[str, float]:
    logs: dict[str, list[float]] = {}
    for row in rows:
        for name, ratio in row.items():
            logs.setdefault(name, []).append(math.log(ratio))
    return {name: math.exp(fmean(each)) for name, each in logs.items()}
