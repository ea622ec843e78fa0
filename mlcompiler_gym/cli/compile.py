# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym compile``: object files, by a policy, a search or trajectories."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlcompiler_gym.cli.completion import (
    complete_env,
    complete_policy,
    complete_program,
)
from mlcompiler_gym.cli.evaluate import parse_settings
from mlcompiler_gym.cli.replay import read_trajectories, replay_recorded
from mlcompiler_gym.cli.tables import Table, names, note, numbers, print_json
from mlcompiler_gym.cli.working import AsJson, progress_of
from mlcompiler_gym.errors import EvaluationError

if TYPE_CHECKING:
    from mlcompiler_gym.programs import Program


@dataclass(frozen=True)
class _Made:
    """An object file, and what it was made of."""

    program: Program
    content: bytes
    objective: dict[str, float]
    baseline: dict[str, float]


def compile_programs(
    programs: Annotated[
        list[str] | None,
        typer.Argument(
            help="A set, a split, a program, or a file: mine, mine/src/parse.c.",
            autocompletion=complete_program,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the object files.")
    ] = Path("objects"),
    policy: Annotated[
        str,
        typer.Option(
            help="llvm, reference, a file, or another, as for eval.",
            autocompletion=complete_policy,
        ),
    ] = "llvm",
    search: Annotated[
        int | None,
        typer.Option(min=1, help="Search instead, with so many compiles of each."),
    ] = None,
    trajectories: Annotated[
        Path | None,
        typer.Option(
            help="Compile these instead: a trajectory, or what eval wrote.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    env_id: Annotated[
        str,
        typer.Option("--env", help="The environment.", autocompletion=complete_env),
    ] = "mlcompiler/Inlining-v0",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value as for gym.make; may be repeated: level=O2."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the object files that a policy, a search or trajectories lead to.

    Programs of a set that was extracted from a build get the build's own names. With
    the build's folder as --output they replace its objects, and keep their times.
    Remove what is linked from them, and build: the build links it again.
    """
    if (programs is None) == (trajectories is None):
        raise EvaluationError("name programs, or --trajectories FILE")
    # As `python -m` has it: modules of the current folder are found.
    sys.path.insert(0, "")
    table = Table(
        [
            *names("program", "object"),
            *numbers("LLVM", "this", form=".8g"),
            *numbers("ratio", form=".4f"),
        ]
    )
    with progress_of("programs") as progress:
        if trajectories is not None:
            made = _by_trajectories(trajectories)
        else:
            given = parse_settings(settings or [])
            made = _by_policy(programs or [], env_id, given, policy, search, seed)
        for count, total, each in made:
            path = _write(output, each)
            name = next(iter(each.objective))
            value, base = each.objective[name], each.baseline[name]
            table.title = name
            table.add(
                each.program.name,
                str(path),
                base,
                value,
                value / base if base else None,
            )
            progress(count, total)
    if as_json:
        print_json(table.records())
    else:
        table.print()
    note(f"{len(table.rows)} object files in {output}")


_Making = Iterator[tuple[int, int, _Made]]


def _by_trajectories(path: Path) -> _Making:
    from mlcompiler_gym.cli.replay import baseline_of

    recorded = read_trajectories(path)
    for count, trajectory in enumerate(recorded, start=1):
        program, replayed = replay_recorded(trajectory, None)
        base = baseline_of(trajectory, program)
        yield (
            count,
            len(recorded),
            _Made(program, replayed.object_code, replayed.values, base),
        )


def _by_policy(
    programs: list[str],
    env_id: str,
    settings: dict[str, Any],
    policy: str,
    search: int | None,
    seed: int,
) -> _Making:
    from mlcompiler_gym.evaluation import Evaluation
    from mlcompiler_gym.evaluation.naming import begin_policy, find_policy
    from mlcompiler_gym.evaluation.player import make_env
    from mlcompiler_gym.policies import budgeted, play
    from mlcompiler_gym.programs import load_programs

    env, compiler = make_env(Evaluation(env_id, policy, settings))
    with contextlib.closing(env):
        config = compiler.setup.config
        found = load_programs(
            programs, target=config.target or None, level=config.level
        )
        if found.size is None:
            raise EvaluationError(f"there is no end of {found}; name some of them")
        make = find_policy(policy)
        for count, program in enumerate(found, start=1):
            if search is None:
                decide = begin_policy(make, env, seed)
            else:
                searching = functools.partial(budgeted.search, compiles=search)
                decide = begin_policy(searching, env, seed)
            played = play(env, decide, seed=seed, options={"program": program})
            if "error" in played.info:
                raise EvaluationError(f"{program.name}: {played.info['error']}")
            base = compiler.baseline
            values = played.info.get("objective", base)
            yield count, found.size, _Made(program, compiler.emit(), values, base)


def _write(folder: Path, made: _Made) -> Path:
    from mlcompiler_gym.files import write_file
    from mlcompiler_gym.programs.own_sets import object_of

    name = object_of(made.program.name)
    path = folder / (name or f"{made.program.name.strip('/.')}.o")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Ninja compiles again what is younger than it remembers.
    before = path.stat() if path.exists() else None
    write_file(path, made.content)
    if before is not None:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path
