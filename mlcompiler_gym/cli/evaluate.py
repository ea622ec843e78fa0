# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym eval``: what a policy is worth."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from mlcompiler_gym.cli.working import (
    EnvId,
    Limit,
    OnRay,
    Programs,
    RayAddress,
    Settings,
    Workers,
    players,
    progress_of,
)
from mlcompiler_gym.errors import EvaluationError

#: Rows of a table that people read.
_ROWS = 100


def evaluate(
    env_id: EnvId,
    settings: Settings = None,
    policy: Annotated[
        str,
        typer.Option(
            help="llvm, never, always, random, or module:object, a function of "
            "(observation, info) or one that makes it of (env) or (env, seed)."
        ),
    ] = "llvm",
    programs: Programs = None,
    limit: Limit = None,
    episodes: Annotated[int, typer.Option(min=1, help="Of each program.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the first episode; the others' follow.")
    ] = 0,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File of results; what is in it is not played again."
        ),
    ] = Path("evaluation.jsonl"),
    save_trajectories: Annotated[
        Path | None,
        typer.Option(help="Folder for observations, actions and rewards."),
    ] = None,
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Evaluate a policy on programs.

    Each episode is written to a file as soon as it is done. The same command again
    goes on where it stopped.
    """
    from mlcompiler_gym import evaluation as ev

    # As `python -m` has it: modules of the current folder are found.
    sys.path.insert(0, "")
    what = ev.Evaluation(
        env_id, policy, parse_settings(settings or []), save_trajectories is not None
    )
    console = Console()
    with progress_of("episodes") as progress:
        records = ev.evaluate(
            what,
            programs or None,
            output,
            episodes=episodes,
            seed=seed,
            limit=limit,
            steps_folder=save_trajectories,
            players=players(workers, ray, ray_address)(what),
            progress=progress,
        )
    _show(console, what, records)
    console.print(f"{len(records)} episodes in {output}")


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Values are JSON where they can be, and else text."""
    words: dict[str, Any] = {"True": True, "False": False, "None": None}
    parsed: dict[str, Any] = {}
    for each in settings:
        key, equals, value = each.partition("=")
        if not equals or not key.isidentifier():
            raise EvaluationError(f"{each!r} is not a setting; write key=value")
        if key in parsed:
            raise EvaluationError(f"{key} is set twice")
        if key == "programs":
            raise EvaluationError("name programs with --programs")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = words.get(value, value)
    return parsed


def _show(console: Console, what: Any, records: list[dict[str, Any]]) -> None:
    from mlcompiler_gym.evaluation import ProgramSummary, summarise

    rows, total = summarise(records)
    table = Table(title=f"{what.policy} in {what.env_id}", box=SIMPLE)
    table.add_column("program", no_wrap=True, overflow="fold")
    for column in ("episodes", "decisions", "reward"):
        table.add_column(column, justify="right")
    for name in total.values:
        for column in (f"{name}\nbaseline", "\npolicy", "\nratio"):
            table.add_column(column, justify="right")
    if total.errors:
        table.add_column("errors", justify="right")

    def add(name: str, row: ProgramSummary, **options: Any) -> None:
        cells = [name, str(row.episodes), f"{row.steps:.4g}"]
        cells.append("-" if row.reward is None else f"{row.reward:+.4f}")
        for objective in total.values:
            value, base = row.values.get(objective), row.baseline.get(objective)
            ratio = row.ratios.get(objective)
            cells += ["-" if each is None else f"{each:.8g}" for each in (base, value)]
            cells.append("-" if ratio is None else f"{ratio:.4f}")
        if total.errors:
            cells.append(str(row.errors or ""))
        table.add_row(*cells, **options)

    if len(rows) <= _ROWS:
        for name, row in rows.items():
            add(name, row, end_section=name == list(rows)[-1])
    add(f"{len(rows)} programs", total, style="bold")
    console.print(table)
    if total.ratios:
        console.print("ratio: geometric mean of policy / baseline; lower is better")
