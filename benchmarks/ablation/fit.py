# SPDX-License-Identifier: Apache-2.0
"""What deviations save on unseen packages, with some of the features and without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.evaluation.statistics import DIGITS, Interval, mean_of
from mlcompiler_gym.training import CounterfactualSettings, Point
from mlcompiler_gym.training.counterfactual import fit_forest, savings_of
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.out_of_fold import folds_of

#: Splits into folds, and forests, that the figures are means of.
SEEDS = range(3)
#: Numbers of packages that a learning curve has points for, beside all.
PACKAGES = (5, 10, 15, 20, 25, 30)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Deviations:
    """Deviations from a base policy, and which features predict what they save.

    Attributes:
        labels: One deviation each; action 0 or 1 is the deviation.
        own: What the base policy answers, 0 or 1, shape (n,).
        choices: Shape (n,): the number of the decision. One of the deviations from a
            decision is taken at most.
        names: Names of the features, in order; several may have the same.
        shown: By row of the table, which features the forest sees. The others are
            compared with the first.
        margin: What a deviation has to promise.
        clip: A saving counts as at most this.
        unit: The unit of what is saved, for 100 decisions.
    """

    labels: Labels
    own: NDArray[np.int64]
    choices: NDArray[np.int64]
    names: list[str]
    shown: Mapping[str, set[str]]
    margin: float
    clip: float
    unit: str


@dataclass(frozen=True)
class Row:
    """What forests come to that see some features; a number for each decision.

    ``correlation`` compares what all deviations promise with what they save.
    ``learned`` is what a decision saves, in the mean, where the forests were fitted.
    """

    promised: Floats
    kept: Floats
    deviates: Floats
    pays: Floats
    correlation: float
    learned: float


def judge(given: Deviations, shown: set[str], packages: int | None = None) -> Row:
    """Predict each deviation by forests that were fitted to other packages.

    Args:
        given: The deviations.
        shown: Names of the features that forests see.
        packages: How many packages are drawn for a forest, of those outside its fold.
            With one more, the others are the same. None: all.
    """
    labels = given.labels
    seen = np.array([name in shown for name in given.names])
    # What a deviation from the base policy saves.
    sign = np.where(given.own == 0, 1.0, -1.0)
    savings = savings_of(labels)
    saved = np.clip(savings * sign, -given.clip, given.clip)
    found, correlations, learned = [], [], []
    for seed in SEEDS:
        settings = replace(CounterfactualSettings(), seed=seed, clip=given.clip)
        promises = np.zeros(len(labels))
        for held_out in folds_of(labels, settings):
            names = np.unique(labels.packages[~held_out])
            drawn = np.random.default_rng(seed).permutation(names)[:packages]
            fitted = ~held_out & np.isin(labels.packages, drawn)
            forest = fit_forest(
                labels.features[fitted][:, seen], savings[fitted], settings
            )
            predicted = forest.predict(labels.features[:, seen]) * sign
            promises[held_out] = predicted[held_out]
            _, kept, *_ = _outcomes(given, predicted, saved, fitted)
            learned.append(kept.mean())
        correlations.append(np.corrcoef(promises, saved)[0, 1])
        found.append(_outcomes(given, promises, saved, np.ones(len(labels), np.bool_)))
    promised, kept, deviating, pays = np.mean(found, axis=0)
    return Row(
        promised,
        kept,
        deviating,
        pays,
        float(np.mean(correlations)),
        float(np.mean(learned)),
    )


def _outcomes(
    given: Deviations, promises: Floats, saved: Floats, rows: NDArray[np.bool_]
) -> Floats:
    """What is promised, kept, deviates and pays at each decision of some rows.

    Args:
        given: The deviations, n in number.
        promises: What each promises, shape (n,).
        saved: What each saves, shape (n,).
        rows: Which there are, shape (n,).

    Returns:
        Shape (4, decisions).
    """
    places = np.flatnonzero(rows)
    # The deviation that promises most is taken, of several from a decision.
    order = places[np.argsort(-promises[places], kind="stable")]
    _, first = np.unique(given.choices[order], return_index=True)
    best = order[first]
    deviates = promises[best] > given.margin
    return np.stack(
        [
            np.where(deviates, promises[best], 0.0),
            np.where(deviates, saved[best], 0.0),
            deviates,
            deviates & (saved[best] > 0),
        ]
    )


def curve_of(given: Deviations) -> Iterator[Point]:
    """What is kept out of fold, by the number of packages that are learned from.

    Forests see the features of the table's first row, and its last point is that row.
    """
    _, first = np.unique(given.choices, return_index=True)
    packages = given.labels.packages[first].tolist()
    shown = next(iter(given.shown.values()))
    measure = f"saved in 100 decisions, {given.unit.partition(',')[0]}"
    # All except those of a fold.
    most = len(set(packages)) * (1 - 1 / CounterfactualSettings().folds)
    for count in (*(each for each in PACKAGES if each < most), most):
        row = judge(given, shown, None if count == most else int(count))
        kept = mean_of(row.kept, packages)
        assert kept.bounds is not None
        low, high = (round(100 * bound, DIGITS) for bound in kept.bounds)
        yield Point(
            f"{count:.0f} packages",
            {"packages": round(count, 1)},
            {measure: round(100 * kept.mean, DIGITS), "low": low, "high": high},
            {measure: round(100 * row.learned, DIGITS)},
        )


def print_table(given: Deviations) -> None:
    """Fit, and print a row for each set of features."""
    _, first = np.unique(given.choices, return_index=True)
    packages = given.labels.packages[first].tolist()
    programs = len(set(given.labels.programs.tolist()))
    print(
        f"{len(given.labels)} deviations from {len(first)} decisions of {programs} "
        f"programs of {len(set(packages))} packages; {given.unit} for 100 decisions"
    )
    print(
        "| features | correlation | promised | kept | against the first row | "
        "deviate | of these, pay |"
    )
    print("|---|---|---|---|---|---|---|")
    whole: Row | None = None
    for name, shown in given.shown.items():
        row = judge(given, shown)
        whole = whole or row
        change = "" if row is whole else show(mean_of(row.kept - whole.kept, packages))
        deviations = row.deviates.sum()
        paying = f"{row.pays.sum() / deviations:.0%}" if deviations else ""
        print(
            f"| {name} | {row.correlation:.2f} | {100 * row.promised.mean():+.1f} | "
            f"{show(mean_of(row.kept, packages))} | {change} | "
            f"{row.deviates.mean():.1%} | {paying} |",
            flush=True,
        )


def show(interval: Interval) -> str:
    """A mean and its interval, for 100 decisions."""
    assert interval.bounds is not None
    low, high = (100 * bound for bound in interval.bounds)
    return f"{100 * interval.mean:+.1f} [{low:+.1f}, {high:+.1f}]"
