# SPDX-License-Identifier: Apache-2.0
"""What is learned from labels, judged on packages that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import Record, evaluate
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.training.assignment import Assignment
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.playing import Played, save_by_content, summarise

#: Learns from labels, and then makes the policy of each candidate.
Fit: TypeAlias = Callable[[Labels], Callable[[Any], PortablePolicy]]


class FoldSettings(Protocol):
    """What is said of labels and folds, by settings of several algorithms."""

    @property
    def base(self) -> str:
        """Policy that decides all except what is tried."""

    @property
    def decisions(self) -> int:
        """How many are labelled of a program, at most."""

    @property
    def callees(self) -> bool:
        """Whether a label is of all calls of a callee."""

    @property
    def folds(self) -> int:
        """Parts that the packages are split into."""

    @property
    def worse(self) -> float:
        """Share of programs that may come out worse than by LLVM."""

    @property
    def seed(self) -> int:
        """Seed of the decisions that are labelled, and of the split."""


def check_folds(packages: Iterable[str], folds: int) -> None:
    """Refuse what cannot be split.

    Raises:
        TrainingError: There are fewer packages than folds.
    """
    if (found := len(set(packages))) < folds:
        raise TrainingError(
            f"there are {folds} folds, and programs of {found} packages; "
            "label more packages, or take fewer folds"
        )


def folds_of(labels: Labels, settings: FoldSettings) -> Iterator[NDArray[np.bool_]]:
    """The rows of each fold, of shape (n,); a package is in one fold alone.

    Raises:
        TrainingError: There are fewer packages than folds.
    """
    from sklearn.model_selection import GroupKFold

    packages = labels.packages
    check_folds(packages, settings.folds)
    # By name, so that the order of rows makes no difference.
    names = np.unique(packages)
    split = GroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    for _, held_out in split.split(names, groups=names):
        yield np.isin(packages, names[held_out])


def play_out_of_fold(
    labels: Labels,
    assignment: Assignment,
    settings: FoldSettings,
    fit: Fit,
    candidates: Mapping[Any, str],
) -> list[Played]:
    """Play each program by policies that were learned from other packages.

    Args:
        labels: Labels of all programs.
        assignment: The programs that have labels are played. Policies and journals are
            kept in its folder; what has been played is not played again.
        settings: With the folds.
        fit: Learns from labels.
        candidates: Which policies are made of that, and their names.

    Returns:
        A row for each candidate, in order.

    Raises:
        EvaluationError: See :func:`~mlcompiler_gym.evaluation.evaluate`.
        TrainingError: See :func:`folds_of`.
    """
    programs = {program.name: program for program in assignment.programs}
    folder = assignment.folder / "played"
    folder.mkdir(parents=True, exist_ok=True)
    records: dict[Any, list[Record]] = {each: [] for each in candidates}
    total = len(candidates) * len(set(labels.programs.tolist()))
    done = 0
    for held_out in list(folds_of(labels, settings)):
        make = fit(labels[~held_out])
        names = sorted(set(labels.programs[held_out].tolist()))
        for each in candidates:
            path = save_by_content(make(each), folder)
            what = replace(assignment.evaluation(settings.base), policy=str(path))

            def show(count: int, _: int, before: int = done) -> None:
                assignment.progress("play out of fold", before + count, total)

            records[each] += evaluate(
                what,
                [programs[name] for name in names],
                path.with_suffix(".jsonl"),
                players=assignment.players(what),
                progress=show,
            )
            done += len(names)
    return [summarise(name, records[each]) for each, name in candidates.items()]
