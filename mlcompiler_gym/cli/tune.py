# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym tune``: LLVM's parameters for one program."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from mlcompiler_gym.cli.tables import Column, Table, names, note, numbers
from mlcompiler_gym.errors import TuningError
from mlcompiler_gym.files import write_file

if TYPE_CHECKING:
    from mlcompiler_gym.tuning import Tried, Tuning


def tune(
    program: Annotated[
        str, typer.Argument(help="A file, or a program of a set: kernels/lz.")
    ],
    objective: Annotated[
        list[str] | None,
        typer.Option(help="What is minimised; may be repeated [text_size]."),
    ] = None,
    compiles: Annotated[
        int, typer.Option(min=1, help="How many, with those of the study's file.")
    ] = 100,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Begin no compile after so many.")
    ] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random or cmaes.")] = "tpe",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the proposals.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Compiles at the same time.")] = 1,
    study: Annotated[
        Path | None,
        typer.Option(help="File of trials; the same command again goes on there."),
    ] = None,
    pipeline: Annotated[str, typer.Option(help="As for opt -passes=.")] = "default<Oz>",
    target: Annotated[
        str | None, typer.Option(help="Target triple [the program's].")
    ] = None,
    cpu: Annotated[
        str | None, typer.Option(help="As for llc -mcpu [the generic one].")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(help="Only these, or a group; may be repeated [all]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the object file.")
    ] = None,
    trajectory: Annotated[
        Path | None,
        typer.Option(help="Write the trajectory, for replay and the leaderboard."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the best so far: tuning.png.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Compile there: grpc://host:port.")
    ] = None,
) -> None:
    """Search LLVM's parameters for what makes one program best."""
    from mlcompiler_gym import tuning as tuning_package

    errors = Console(stderr=True)
    settings: dict[str, Any] = {
        "pipeline": pipeline,
        "target": target,
        "cpu": cpu,
        "service": service,
    }
    if parameters:
        settings["parameters"] = parameters
    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as bar:
        shown = bar.add_task("compiles", total=compiles)

        def progress(done: int, best: Tried | None) -> None:
            bar.update(shown, completed=done)

        try:
            tuning = tuning_package.tune(
                program,
                objectives=objective or ["text_size"],
                compiles=compiles,
                seconds=math.inf if seconds is None else seconds,
                sampler=sampler,
                seed=seed,
                workers=workers,
                study=study,
                progress=progress,
                **settings,
            )
        except ValueError as error:
            raise TuningError(str(error)) from error
    _show(program, tuning)
    if output is not None:
        write_file(output, tuning.object_code)
    if trajectory is not None:
        write_file(trajectory, f"{tuning.trajectory.to_json()}\n".encode())
    if plot is not None:
        from mlcompiler_gym.tuning.plot import plot as draw

        draw(plot, tuning.objectives, tuning.baseline, tuning.tried, program)


def _show(program: str, tuning: Tuning) -> None:
    columns = [*names("compile"), *numbers("parameters set")]
    for name in tuning.objectives:
        columns += numbers(name, form="g")
        columns.append(Column(f"{name}\ngain", "number", "+.2%"))
    table = Table(columns, title=program)
    own = [value for base in tuning.baseline for value in (base, None)]
    table.add("LLVM's own", 0, *own)
    for each in tuning.front:
        cells: list[float] = []
        for value, base in zip(each.values or (), tuning.baseline, strict=True):
            cells += [value, (base - value) / (base or 1.0)]
        best = each.number == tuning.best.number
        table.add(
            str(each.number), len(each.chosen), *cells, style="bold" if best else ""
        )
    table.print()
    failed = sum(each.values is None for each in tuning.tried)
    note(
        f"{len(tuning.tried)} compiles"
        + (f", {failed} of them not survived by the compiler" if failed else "")
    )
    # The lines are not wrapped, so that they can be copied.
    typer.echo("\nopt and llc:")
    typer.echo(tuning.commandline)
    flags = [word for each in tuning.llvm_arguments for word in ("-mllvm", each)]
    typer.echo("\nfor clang:")
    typer.echo(shlex.join(flags))
