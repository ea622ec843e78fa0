# SPDX-License-Identifier: Apache-2.0
"""What the features of each option are worth for inlining, on unseen packages.

The labels are in `benchmarks/results/inlining_labels.parquet`, or in the file that
`ABLATION_LABELS` names. They are of single decisions of `pypi:train` at -Oz, where
`last_use` decides everything else. The forest of `--algo counterfactual` is fitted with
and without the features of an option, always to other packages than it is judged on. It
deviates from `last_use` where it promises more than a margin.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcompiler_gym import CompilerEnv
from mlcompiler_gym.evaluation.statistics import Interval, mean_of
from mlcompiler_gym.training import CounterfactualSettings
from mlcompiler_gym.training.counterfactual import fit_forest, savings_of
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.out_of_fold import folds_of

SHIPPED = Path(__file__).parent / "results" / "inlining_labels.parquet"
#: The part of `bodies` that the source says, rather than the sizes of bodies.
ATTRIBUTES = ("callee_hinted", "callee_unwinds", "callee_returns", "call_catches")
#: Bytes that a deviation has to promise.
MARGIN = 4.0
#: Splits into folds, and forests, that the figures are means of.
SEEDS = range(3)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """What forests come to that lack some features; a number for each decision."""

    promised: Floats
    kept: Floats
    deviates: Floats
    pays: Floats


def groups_of(names: list[str]) -> Iterator[tuple[str, set[str]]]:
    """What is left out, with the features of it."""
    env = gymnasium.make(
        "mlcompiler/Inlining-v0", linkage=True, bodies=True, inlining_default=True
    ).unwrapped
    assert isinstance(env, CompilerEnv)
    option = {spec.name: spec.option for spec in env.setup.spec.features}
    env.close()
    if missing := [name for name in names if name not in option]:
        raise SystemExit(f"the task has no feature {', '.join(missing)}")
    by_option = {
        each: {name for name in names if option[name] == each}
        for each in ("linkage", "bodies")
    }
    yield "nothing", set()
    yield "linkage", by_option["linkage"]
    yield "attributes (of bodies)", set(ATTRIBUTES)
    yield "bodies", by_option["bodies"]
    yield "linkage and bodies", by_option["linkage"] | by_option["bodies"]


def judge(labels: Labels, own: NDArray[np.int64], shown: NDArray[np.bool_]) -> Row:
    """Predict each decision by forests that were fitted to other packages.

    Args:
        labels: All decisions.
        own: What the base policy answers, shape (n,).
        shown: Which features the forests see, shape (elements,).
    """
    # What a deviation from the base policy saves.
    sign = np.where(own == 0, 1.0, -1.0)
    savings = savings_of(labels)
    found = []
    for seed in SEEDS:
        settings = replace(CounterfactualSettings(), seed=seed)
        promises = np.zeros(len(labels))
        for held_out in folds_of(labels, settings):
            forest = fit_forest(
                labels.features[~held_out][:, shown], savings[~held_out], settings
            )
            promises[held_out] = forest.predict(labels.features[held_out][:, shown])
        deviates = promises * sign > MARGIN
        saved = np.clip(savings * sign, -settings.clip, settings.clip)
        found.append(
            (
                np.where(deviates, promises * sign, 0.0),
                np.where(deviates, saved, 0.0),
                deviates,
                deviates & (saved > 0),
            )
        )
    return Row(*np.mean(found, axis=0))


def show(interval: Interval) -> str:
    """A mean and its interval, in bytes for 100 decisions."""
    assert interval.bounds is not None
    low, high = (100 * bound for bound in interval.bounds)
    return f"{100 * interval.mean:+.0f} [{low:+.0f}, {high:+.0f}]"


def run() -> None:
    """Fit, and print the table."""
    path = Path(os.environ.get("ABLATION_LABELS", SHIPPED))
    table = pd.read_parquet(path)
    names = [str(name) for name in table.select_dtypes(np.float32).columns]
    by_program = [each for _, each in table.groupby("program", sort=True)]
    labels = Labels.from_tables(by_program, "text_size", 2)
    own = np.concatenate(
        [each[each["own"]].sort_values("decision")["action"] for each in by_program]
    )
    known = ~np.isnan(savings_of(labels))
    labels, own = labels[known], own[known]
    packages = labels.packages.tolist()
    print(
        f"{len(labels)} decisions of {len(set(labels.programs.tolist()))} programs of "
        f"{len(set(packages))} packages; bytes for 100 labelled decisions, each saving "
        f"at most {CounterfactualSettings().clip:g}"
    )
    print("| without | promised | kept | of it lost | deviations | that pay |")
    print("|---|---|---|---|---|---|")
    whole: Row | None = None
    for name, left_out in groups_of(names):
        shown = np.array([each not in left_out for each in names])
        row = judge(labels, own, shown)
        whole = whole or row
        lost = "" if row is whole else show(mean_of(whole.kept - row.kept, packages))
        paying = row.pays.sum() / row.deviates.sum()
        print(
            f"| {name} | {100 * row.promised.mean():+.0f} | "
            f"{show(mean_of(row.kept, packages))} | {lost} | "
            f"{row.deviates.mean():.1%} | {paying:.0%} |",
            flush=True,
        )
