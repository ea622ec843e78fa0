# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym eval``: what a policy is worth."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mlcompiler_gym.cli.completion import complete_policy
from mlcompiler_gym.cli.tables import Table, names, note, numbers, print_json
from mlcompiler_gym.cli.working import (
    AsJson,
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


def evaluate(
    env_id: EnvId,
    settings: Settings = None,
    policy: Annotated[
        str,
        typer.Option(
            help="llvm, never, always, random, reference, best_of_64, a file, or "
            "module:object: a function of (observation, info), or one that makes it of "
            "(env) or (env, seed).",
            autocompletion=complete_policy,
        ),
    ] = "llvm",
    programs: Programs = None,
    limit: Limit = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each program.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first episode; the others' follow.")
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
    as_json: AsJson = False,
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
    _show(what, records, as_json=as_json)
    note(f"{len(records)} episodes in {output}")


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Values are JSON where they can be, and text otherwise."""
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


def _show(what: Any, records: list[dict[str, Any]], *, as_json: bool) -> None:
    from mlcompiler_gym.evaluation import ProgramSummary, summarise

    rows, total = summarise(records)
    columns = [
        *names("program"),
        *numbers("episodes"),
        *numbers("decisions", form=".4g"),
        *numbers("reward", form="+.4f"),
    ]
    for name in total.values:
        # If there is only one objective, the title names it.
        prefix = f"{name}\n" if len(total.values) > 1 else ""
        columns += numbers(f"{prefix}LLVM", f"{prefix}policy", form=".8g")
        columns += numbers(f"{prefix}ratio", form=".4f")
    if total.errors:
        columns += numbers("errors")

    def values(name: str, row: ProgramSummary) -> list[Any]:
        found = [name, row.episodes, row.steps, row.reward]
        for objective in total.values:
            found += [
                row.baseline.get(objective),
                row.values.get(objective),
                row.ratios.get(objective),
            ]
        return [*found, row.errors] if total.errors else found

    title = ", ".join([f"{what.policy} in {what.env_id}", *total.values])
    table = Table(columns, title=title)
    for name, row in rows.items():
        table.add(*values(name, row))
    table.total = values(f"{len(rows)} programs", total)
    if as_json:
        content = {"programs": table.records(), "total": table.total_record()}
        print_json({**what.identity(), **content})
        return
    table.print()
    if total.ratios:
        note("ratio: geometric mean of policy / LLVM; lower is better")
