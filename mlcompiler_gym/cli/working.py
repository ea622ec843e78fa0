# SPDX-License-Identifier: Apache-2.0
"""What commands that compile many programs have in common."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from mlcompiler_gym.cli.completion import complete_env

if TYPE_CHECKING:
    from mlcompiler_gym.evaluation import Players

EnvId = Annotated[
    str,
    typer.Argument(
        help="An environment: mlcompiler/Inlining-v0.", autocompletion=complete_env
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(help="key=value as for gym.make: objective=ir_instructions."),
]
Programs = Annotated[
    list[str] | None,
    typer.Option(
        help="A set, a split, a program or a folder of bitcode; may be repeated "
        "[the task's]."
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only the first so many programs.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes [1; on a cluster all processors]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
OnRay = Annotated[
    bool,
    typer.Option(
        "--ray", help="On the cluster of Ray that runs here or that RAY_ADDRESS names."
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        help="On this cluster: host:port of its head; or local, to start one."
    ),
]


def players(
    workers: int | None, ray: bool = False, ray_address: str | None = None
) -> Callable[[Any], Players]:
    """What makes the processes that play an evaluation."""
    if ray or ray_address is not None:
        from mlcompiler_gym.evaluation.farm import RayPlayers

        return functools.partial(RayPlayers, workers=workers, address=ray_address)
    from mlcompiler_gym.evaluation import LocalPlayers

    return functools.partial(LocalPlayers, workers=workers or 1)


@contextlib.contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, which goes away; takes what is done, and all."""
    console = Console(stderr=True)
    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        shown = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)
