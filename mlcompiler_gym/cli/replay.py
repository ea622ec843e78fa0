# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym replay`` and ``validate``: what trajectories lead to."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlcompiler_gym.cli.tables import Table, names, note, numbers, print_json
from mlcompiler_gym.cli.working import AsJson, progress_of
from mlcompiler_gym.errors import ProgramError, TrajectoryError

if TYPE_CHECKING:
    from mlcompiler_gym.envs import Trajectory
    from mlcompiler_gym.envs.trajectory import Replay
    from mlcompiler_gym.programs import Program
    from mlcompiler_gym.validation import Validation

Recorded = Annotated[
    Path,
    typer.Argument(
        help="A trajectory; or several, one a line, as in what eval writes.",
        exists=True,
        dir_okay=False,
    ),
]
OnProgram = Annotated[
    str | None,
    typer.Option(
        "--program", "-p", help="The program, if it is not found by its recorded name."
    ),
]


def replay(
    recorded: Recorded,
    program: OnProgram = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the object file; of several trajectories, a folder of them.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compile once more with the decisions of a trajectory, and measure.

    The object file is the same as the first time, byte for byte.
    """
    from mlcompiler_gym.files import write_file

    trajectories = read_trajectories(recorded)
    if output is not None and output.is_dir() and len(trajectories) == 1:
        raise TrajectoryError(f"{output} is a folder; name a file to write")
    rows: list[dict[str, Any]] = []
    with progress_of("trajectories") as progress:
        for index, trajectory in enumerate(trajectories):
            found, replayed = replay_recorded(trajectory, program)
            row = {
                "program": trajectory.program,
                "decisions": len(trajectory.actions),
                "objective": replayed.values,
                "baseline": baseline_of(trajectory, found),
            }
            if output is not None:
                path = output
                if len(trajectories) > 1:
                    path = output / f"{index}-{_stem(trajectory.program)}.o"
                    path.parent.mkdir(parents=True, exist_ok=True)
                write_file(path, replayed.object_code)
                row["file"] = str(path)
            rows.append(row)
            progress(index + 1, len(trajectories))
    if as_json:
        print_json(rows)
        return
    _show(rows)
    for row in rows:
        if "file" in row:
            note(f"written to {row['file']}")


def validate(
    recorded: Annotated[
        Path,
        typer.Argument(
            help="A trajectory, or several, one a line, as in what eval writes; or a "
            "program that is linked already.",
            exists=True,
            dir_okay=False,
        ),
    ],
    program: OnProgram = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="The program that is right, if PROGRAM is linked already.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            help="Arguments of a run, in quotes; may be repeated [the program's].",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run what trajectories lead to, and compare with the unoptimised program.

    Or compare two programs that are linked. Ends with status 1 if a program computes
    something else, and 3 if that cannot be told.
    """
    given = [tuple(shlex.split(each)) for each in inputs or ()]
    found = []
    if _is_linked(recorded):
        found.append(_compare_linked(recorded, against, given))
    else:
        for trajectory in read_trajectories(recorded):
            found.append(_validate_recorded(trajectory, program, given))
    if as_json:
        print_json(
            [
                {
                    "program": each.program,
                    "status": each.status,
                    "inputs": each.inputs,
                    "differences": [list(d.input) for d in each.differences],
                }
                for each in found
            ]
        )
    else:
        for each in found:
            typer.echo(each.report())
    if any(each.differences for each in found):
        raise typer.Exit(1)
    if not all(each.ok for each in found):
        raise typer.Exit(3)


def _is_linked(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _compare_linked(
    executable: Path, against: Path | None, inputs: Sequence[tuple[str, ...]]
) -> Validation:
    from mlcompiler_gym.validation import compare_executables

    if against is None:
        raise ProgramError(
            f"{executable} is linked already: say --against which program is right"
        )
    return compare_executables(executable, against, inputs or ((),))


def _validate_recorded(
    trajectory: Trajectory, name: str | None, inputs: Sequence[tuple[str, ...]]
) -> Validation:
    from mlcompiler_gym.validation import validate as validate_code

    program, replayed = replay_recorded(trajectory, name)
    if inputs:
        program = dataclasses.replace(program, inputs=tuple(inputs))
    config = trajectory.config
    result = validate_code(
        program, replayed.object_code, target=config.target, cpu=config.cpu
    )
    return result.with_trajectory(trajectory)


def read_trajectories(path: Path) -> list[Trajectory]:
    """The trajectories of a file: of one of its own, or of a journal of episodes.

    Raises:
        TrajectoryError: There are none, or a line is something else.
    """
    return list(_read(path))


def _read(path: Path) -> Iterator[Trajectory]:
    from mlcompiler_gym.envs import Trajectory

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TrajectoryError(f"cannot read {path}: {error}") from error
    count = 0
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise TrajectoryError(f"line {number} of {path} is no trajectory")
        if "trajectory" in content:
            if content["trajectory"] is None:
                note(f"line {number}: {content.get('program')} has no trajectory")
                continue
            line = json.dumps(content["trajectory"])
        try:
            yield Trajectory.from_json(line)
        except TrajectoryError as error:
            raise TrajectoryError(f"line {number} of {path}: {error}") from error
        count += 1
    if not count:
        raise TrajectoryError(f"there is no trajectory in {path}")


def replay_recorded(trajectory: Trajectory, name: str | None) -> tuple[Program, Replay]:
    """The program of a trajectory, or the one of a name, and what it leads to."""
    from mlcompiler_gym.envs.trajectory import find_recorded
    from mlcompiler_gym.envs.trajectory import replay as replay_trajectory

    program = find_recorded(trajectory, name)
    return program, replay_trajectory(trajectory, program)


def baseline_of(trajectory: Trajectory, program: Program) -> dict[str, float]:
    """What LLVM's own decisions come to, by objective."""
    from mlcompiler_gym.client import find_service
    from mlcompiler_gym.envs.scoring import baseline

    return dict(baseline(find_service(None), trajectory.config, program).values)


def _stem(program: str) -> str:
    return program.strip("/.").replace("/", "-")


def _show(rows: Sequence[dict[str, Any]]) -> None:
    objectives = dict.fromkeys(name for row in rows for name in row["objective"])
    columns = [*names("program"), *numbers("decisions")]
    for name in objectives:
        columns += numbers(f"{name}\nLLVM", f"{name}\nreplayed", form=".8g")
        columns += numbers(f"{name}\nratio", form=".4f")
    table = Table(columns)
    for row in rows:
        cells: list[float | None] = []
        for name in objectives:
            base, value = row["baseline"].get(name), row["objective"].get(name)
            cells += [base, value, value / base if value is not None and base else None]
        table.add(row["program"], row["decisions"], *cells)
    table.print()
