# SPDX-License-Identifier: Apache-2.0
"""Choosing how sure a policy has to be, on packages that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlcompiler_gym.evaluation import Record, evaluate
from mlcompiler_gym.training.assignment import Assignment
from mlcompiler_gym.training.counterfactual import (
    CounterfactualSettings,
    Forest,
    folds_of,
)
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.playing import Played, save_by_content, summarise


def play_out_of_fold(
    labels: Labels, env: Any, assignment: Assignment, settings: CounterfactualSettings
) -> list[Played]:
    """Play each program by a policy that was fitted to other packages.

    Args:
        labels: Labels of all programs.
        env: The environment that they are of.
        assignment: The programs that have labels are played. Policies and journals are
            kept in its folder; what has been played is not played again.
        settings: With the margins.

    Returns:
        A row for each margin, in order.

    Raises:
        EvaluationError: See :func:`~mlcompiler_gym.evaluation.evaluate`.
        TrainingError: See :func:`folds_of`.
    """
    programs = {program.name: program for program in assignment.programs}
    folder = assignment.folder / "played"
    folder.mkdir(parents=True, exist_ok=True)
    records: dict[float, list[Record]] = {margin: [] for margin in settings.margins}
    total = len(settings.margins) * len(set(labels.programs.tolist()))
    done = 0
    for held_out in list(folds_of(labels, settings)):
        forest = Forest(labels[~held_out], env, settings)
        names = sorted(set(labels.programs[held_out].tolist()))
        for margin in settings.margins:
            path = save_by_content(forest.policy(margin), folder)
            what = replace(assignment.evaluation(settings.base), policy=str(path))

            def show(count: int, _: int, before: int = done) -> None:
                assignment.progress("play out of fold", before + count, total)

            records[margin] += evaluate(
                what,
                [programs[name] for name in names],
                path.with_suffix(".jsonl"),
                players=assignment.players(what),
                progress=show,
            )
            done += len(names)
    return [
        summarise(f"margin {margin:g}", records[margin]) for margin in settings.margins
    ]
