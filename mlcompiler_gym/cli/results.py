# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym results``: what journals come to, as tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlcompiler_gym.cli.tables import note
from mlcompiler_gym.errors import EvaluationError


def results(
    journals: Annotated[
        list[Path], typer.Argument(help="Files that `mlcompiler-gym eval` has written.")
    ],
    preface: Annotated[
        Path | None, typer.Option(help="Markdown that comes before the tables.")
    ] = None,
    curve: Annotated[
        list[Path] | None,
        typer.Option(help="Learning curve that a training has written; repeatable."),
    ] = None,
    picture: Annotated[
        Path, typer.Option(help="Where the learning curves are drawn.")
    ] = Path("learning_curves.png"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Markdown file [print it].")
    ] = None,
) -> None:
    """Compare policies with LLVM: totals, geometric means with intervals by package.

    Each row also has the seeds, and what the policy spent on a program, in the median.
    Another table says what policies were learned from, as their cards have it.
    Programs in C and in C++ are told apart, which their bitcode is read for.
    """
    from mlcompiler_gym.evaluation.journal import read_records
    from mlcompiler_gym.evaluation.report import rows_of, to_markdown, trainings_of
    from mlcompiler_gym.files import write_file

    rows = rows_of(record for path in journals for record in read_records(path))
    parts = [trainings_of(rows), to_markdown(rows)]
    if curve:
        page = Path.cwd() if output is None else output.parent
        parts.insert(0, _draw(curve, picture, page))
    if preface is not None:
        try:
            parts.insert(0, preface.read_text())
        except OSError as error:
            raise EvaluationError(f"cannot read {preface}: {error.strerror}") from error
    text = "\n\n".join(part.rstrip() for part in parts if part) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_file(output, text.encode())


def _draw(curves: list[Path], picture: Path, page: Path) -> str:
    """Draw learning curves; a section that shows them, of a page in a folder."""
    from mlcompiler_gym.training.curve import read_curve
    from mlcompiler_gym.training.plot import draw_curves

    titles = [path.stem.replace("_", " ") for path in curves]
    if len(set(titles)) < len(titles):
        titles = [str(path) for path in curves]
    points = map(read_curve, curves)
    draw_curves(picture, dict(zip(titles, points, strict=True)))
    note(f"the learning curves are drawn in {picture}")
    link = Path(os.path.relpath(picture, page)).as_posix()
    return f"## Learning curves\n\n![{', '.join(titles)}]({link})\n"
