# SPDX-License-Identifier: Apache-2.0
"""Choosing how sure a policy has to be, on packages that it has not seen."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import Evaluation, Players, Record, evaluate
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.counterfactual import (
    CounterfactualSettings,
    Forest,
    folds_of,
)
from mlcompiler_gym.training.labels import Labels


@dataclass(frozen=True)
class Played:
    """What one margin comes to on programs whose packages it was not fitted to.

    Attributes:
        margin: Which.
        ratio: Geometric mean over programs of the objective against LLVM's.
        total: Sum of the objective against the sum of LLVM's.
        worse: Share of programs that come out worse than by LLVM.
        worst: The largest ratio.
        programs: How many.
    """

    margin: float
    ratio: float
    total: float
    worse: float
    worst: float
    programs: int


def play_out_of_fold(
    labels: Labels,
    env: Any,
    evaluation: Evaluation,
    programs: Mapping[str, Program],
    settings: CounterfactualSettings,
    folder: Path,
    *,
    players: Callable[[Evaluation], Players],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Played]:
    """Play each program by a policy that was fitted to other packages.

    Args:
        labels: Labels of all programs.
        env: The environment that they are of.
        evaluation: How an episode is played; its policy is what is deviated from.
        programs: By name; the programs that have labels are played.
        settings: With the margins.
        folder: Policies and journals are kept there; what has been played is not
            played again.
        players: Who plays an evaluation.
        progress: Called with the episodes that are done and all.

    Returns:
        A row for each margin, in order.

    Raises:
        EvaluationError: See :func:`~mlcompiler_gym.evaluation.evaluate`.
        TrainingError: See :func:`folds_of`.
    """
    records: dict[float, list[Record]] = {margin: [] for margin in settings.margins}
    folds = list(folds_of(labels, settings))
    total = len(settings.margins) * len(set(labels.programs.tolist()))
    done = 0
    for held_out in folds:
        forest = Forest(labels[~held_out], env, settings, evaluation.policy)
        names = sorted(set(labels.programs[held_out].tolist()))
        for margin in settings.margins:
            path = save_by_content(forest.policy(margin), folder)
            what = replace(evaluation, policy=str(path))

            def show(count: int, _: int, before: int = done) -> None:
                progress(before + count, total)

            records[margin] += evaluate(
                what,
                [programs[name] for name in names],
                path.with_suffix(".jsonl"),
                players=players(what),
                progress=show,
            )
            done += len(names)
    return [_summary(margin, records[margin]) for margin in settings.margins]


def choose(rows: Sequence[Played], worse: float) -> Played:
    """The row with the lowest ratio, of those with few programs that are worse.

    Args:
        rows: At least one.
        worse: Share of programs that may be worse than by LLVM; if more are in every
            row, the row with the fewest is chosen.
    """
    allowed = [row for row in rows if row.worse <= worse]
    if not allowed:
        return min(rows, key=lambda row: (row.worse, row.ratio))
    return min(allowed, key=lambda row: (row.ratio, -row.margin))


def save_by_content(policy: PortablePolicy, folder: Path) -> Path:
    """Write a policy to a file that is called after what is in it."""
    digest = hashlib.sha256(policy.to_bytes()).hexdigest()[:16]
    path = folder / f"{digest}.policy"
    policy.save(path)
    return path


def _summary(margin: float, records: Sequence[Record]) -> Played:
    ratios, values, baselines = [], 0.0, 0.0
    for record in records:
        if record["objective"] is None:
            continue
        (value,), (baseline,) = (
            record["objective"].values(),
            record["baseline"].values(),
        )
        values, baselines = values + value, baselines + baseline
        if value > 0 and baseline > 0:
            ratios.append(value / baseline)
    if not ratios:
        raise TrainingError("no program was played to its end out of fold")
    return Played(
        margin,
        math.exp(fmean(map(math.log, ratios))),
        values / baselines,
        sum(ratio > 1 for ratio in ratios) / len(ratios),
        max(ratios),
        len(ratios),
    )
