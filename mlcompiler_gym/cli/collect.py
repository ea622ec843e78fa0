# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym collect``: builds and their times, to learn performance models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlcompiler_gym.cli.tables import Table, names, note, numbers
from mlcompiler_gym.cli.working import (
    Limit,
    OnRay,
    Programs,
    RayAddress,
    Workers,
    players,
    progress_of,
)


def collect(
    programs: Programs = None,
    limit: Limit = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Parquet file of all builds.")
    ] = Path("builds.parquet"),
    folder: Annotated[
        Path, typer.Option(help="A file for each program; none is made again.")
    ] = Path("builds"),
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose decisions vary: inlining, pass_ordering, passes, eviction, "
            "loop_factors; may be repeated [the level's]."
        ),
    ] = None,
    level: Annotated[
        str, typer.Option(help="Oz, or O2 for programs to be compiled at -O3.")
    ] = "Oz",
    profiled: Annotated[
        bool, typer.Option("--profiled", help="Give programs the profile of a run.")
    ] = False,
    cpu: Annotated[str, typer.Option(help="As for llc -mcpu [the generic one].")] = "",
    rounds: Annotated[
        int, typer.Option(min=3, help="How often each build is run.")
    ] = 9,
    counted: Annotated[
        bool, typer.Option("--counted", help="Let valgrind also count instructions.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the decisions.")] = 0,
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Build programs by different decisions, and measure what comes of each.

    Each program's builds are run in turn, and processor time is taken. Each program
    is written to a file as soon as it is done. The same command again goes on where
    it stopped. Several workers on one machine disturb each other's times.
    """
    from mlcompiler_gym import modelling
    from mlcompiler_gym.evaluation.plan import plan_episodes
    from mlcompiler_gym.programs import load_programs

    what = modelling.Collecting(
        recipes=tuple(recipe or ()),
        level=level,
        profiled=profiled,
        cpu=cpu,
        rounds=rounds,
        counted=counted,
    )
    source = load_programs(programs or ["kernels"], level=level)
    plans = list(plan_episodes(source, episodes=1, seed=seed, limit=limit))
    with progress_of("programs") as progress:
        builds = modelling.collect(
            what,
            [plan.program for plan in plans],
            folder,
            seed=seed,
            players=players(workers, ray, ray_address)(what),
            progress=progress,
        )
    builds.save(output)
    _show(builds)
    print(
        f"{output}: {len(builds)} builds of {builds.table.program.nunique()} programs"
    )


def _show(builds: Any) -> None:
    from mlcompiler_gym.modelling import JUDGED, agreement

    table = Table(
        [
            *names("objective"),
            *numbers("agreement", "low", "high", form=".1%"),
            *numbers("correlation", form="+.2f"),
        ],
        title="Which of two builds is faster",
    )
    for name in builds.objectives:
        found = agreement(builds, builds.objective(name))
        if found.share == found.share:
            table.add(name, found.share, found.low, found.high, found.correlation)
    table.print()
    note(
        "agreement: share of the pairs of builds whose times differ by more than "
        f"{JUDGED:g} times the noise; low, high: 95% interval by programs"
    )
