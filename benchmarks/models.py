# SPDX-License-Identifier: Apache-2.0
"""Performance models: how often each says which of two builds is faster.

The builds are those of `benchmarks/results/builds.parquet`, or of the files and
folders that `MODELS_BUILDS` names, which `mlcompiler-gym collect` has written. Pairs of
builds of a program are compared whose times differ by more than twice the noise. Pairs
of equal object files tell what that is. `learned_cycles` has learned from programs for
training, so the first table is of the others. The second one is of all programs, with
models that have not learned from the package at hand.

`MODELS_PLOT` names a picture to draw.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.modelling import (
    SIZES,
    Agreement,
    Builds,
    CostModel,
    agreement,
    counts_by_size,
    out_of_fold,
)
from mlcompiler_gym.programs.catalogue import entries_of

SHIPPED = Path(__file__).parent / "results" / "builds.parquet"
#: Objectives in the order of the table.
OBJECTIVES = (
    "text_size",
    "ir_instructions",
    "regalloc_score",
    "loop_cost",
    "mca_cycles",
    "program_cycles",
    "profiled_cycles",
)

Floats = NDArray[np.float64]


def load() -> Builds:
    return Builds.load(*os.environ.get("MODELS_BUILDS", str(SHIPPED)).split())


def held_out(builds: Builds) -> NDArray[np.bool_]:
    """Builds of programs that are not for training."""
    names = {
        entry.name
        for name in ("kernels", "loops", "apps")
        for entry in entries_of(name)
        if entry.split == "train"
    }
    return ~np.isin(builds.table["program"].to_numpy().astype(str), sorted(names))


def numbers_of(builds: Builds, learned: Floats) -> dict[str, Floats]:
    """What is compared with the times, by name."""
    found = {
        name: builds.objective(name) for name in OBJECTIVES if name in builds.objectives
    }
    found["learned_cycles"] = learned
    counted = builds.table["instructions"].to_numpy(np.float64)
    if np.isfinite(counted).any():
        found["instructions"] = counted
    return {name: each for name, each in found.items() if np.isfinite(each).any()}


def report(builds: Builds, learned: Floats, title: str) -> dict[str, Agreement]:
    """Print a table, and return its rows."""
    pairs, equal = builds.pairs(), builds.equal_pairs()
    judged = int((pairs.multiples >= 2).sum())
    print(
        f"{title}: {builds.table['program'].nunique()} programs, {len(builds)} builds, "
        f"{len(pairs)} pairs, {judged} of them judged; noise "
        f"{np.median(equal.noise):.1%} (equal objects differ by "
        f"{np.median(np.abs(equal.differences)):.1%})"
    )
    ends = [*(f"{size:g}" for size in SIZES[1:]), ""]
    sizes = [f"{a:g}-{b}x" for a, b in zip(SIZES, ends, strict=True)]
    counts = counts_by_size(pairs)
    heads = [f"{size} ({count})" for size, count in zip(sizes, counts, strict=True)]
    print(f"  {'':16} {'>2x':>6} {'95%':>13}  {'  '.join(heads)}  rank  by task")
    rows = {}
    for name, values in numbers_of(builds, learned).items():
        found = rows[name] = agreement(builds, values)
        by_size = "  ".join(
            f"{share:{len(head)}.1%}"
            for share, head in zip(found.by_size, heads, strict=True)
        )
        by_task = ", ".join(
            f"{task} {share:.0%}"
            for task, share in found.by_task.items()
            if np.isfinite(share)
        )
        print(
            f"  {name:16} {found.share:6.1%} {found.low:6.1%}-{found.high:6.1%}  "
            f"{by_size}  {found.correlation:+.2f}  {by_task}"
        )
    return rows


def draw(path: str, tables: dict[str, dict[str, Agreement]]) -> None:
    """A row of bars for each table."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4 * len(tables)), layout="constrained")
    every = figure.subplots(len(tables), squeeze=False)[:, 0]
    for axes, (title, rows) in zip(every, tables.items(), strict=True):
        names = list(rows)
        shares = np.array([rows[name].share for name in names])
        bounds = np.array([(rows[name].low, rows[name].high) for name in names])
        errors = np.abs(bounds.T - shares)
        places = np.arange(len(names))
        axes.barh(places, 100 * shares, color="0.75")
        axes.errorbar(
            100 * shares, places, xerr=100 * errors, fmt="none", ecolor="black"
        )
        axes.axvline(50, color="black", linewidth=0.8, linestyle=":")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_title(title)
    every[-1].set_xlabel(
        "pairs of builds of which the faster one is named, %\n"
        "(differences above twice the noise; lines: 95% intervals; dotted: chance)"
    )
    figure.savefig(path, dpi=110)


def run() -> None:
    builds = load()
    model = CostModel.load()
    tables = {}
    profiled = builds.table["profiled"].to_numpy(bool)
    for profile, what in ((True, "with a profile"), (False, "without a profile")):
        own = builds.where(profiled == profile)
        if not len(own):
            continue
        unseen = own.where(held_out(own))
        if len(unseen):
            title = f"Programs not learned from, {what}"
            learned = model.cycles(unseen.features("code_costs"))
            tables[title] = report(unseen, learned, title)
        report(own, out_of_fold(own), f"All programs, {what}, models out of fold")
    if path := os.environ.get("MODELS_PLOT"):
        draw(path, tables)
