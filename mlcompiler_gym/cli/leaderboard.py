# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym leaderboard``: submissions, their verification, and the site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlcompiler_gym.cli.tables import (
    Column,
    Table,
    ids,
    names,
    note,
    numbers,
    print_json,
    text,
)
from mlcompiler_gym.cli.working import (
    AsJson,
    OnRay,
    RayAddress,
    Workers,
    progress_of,
)
from mlcompiler_gym.cli.working import players as make_players
from mlcompiler_gym.errors import MLCompilerGymError

leaderboard = typer.Typer(
    no_args_is_help=True, help="Submissions that anyone can check."
)

BoardFolder = Annotated[
    Path, typer.Option("--board", help="Folder with the tracks and the submissions.")
]
Submitted = Annotated[Path, typer.Argument(help="Folder of the submission.")]

_BOARD = Path("leaderboard")


def _library() -> Any:
    """The library, which needs more than the command line does."""
    try:
        from mlcompiler_gym import leaderboard as library
    except ModuleNotFoundError as missing:
        raise MLCompilerGymError(
            f"{missing.name} is not installed; "
            "`pip install 'mlcompiler_gym[leaderboard]'`"
        ) from missing
    return library


@leaderboard.command()
def tracks(board: BoardFolder = _BOARD, as_json: AsJson = False) -> None:
    """List the tracks and their classes."""
    loaded = _library().Board.load(board)
    table = Table(
        [*ids("track"), *names("environment", "objective", "programs"), text("classes")]
    )
    for track in loaded.tracks.values():
        table.add(
            track.id,
            track.env,
            track.objective,
            track.programs,
            ", ".join(track.classes),
        )
    if as_json:
        print_json(table.records())
    else:
        table.print()


@leaderboard.command()
def new(
    folder: Annotated[Path, typer.Argument(help="To make: submissions/NAME.")],
    track: Annotated[str, typer.Option(help="Which one; `tracks` lists them.")],
    class_name: Annotated[str, typer.Option("--class", help="Class of the track.")],
    board: BoardFolder = _BOARD,
) -> None:
    """Begin a submission: a folder with a card to fill in."""
    library = _library()
    loaded = library.Board.load(board)
    found = loaded.track(track)
    library.new(folder, loaded, found, class_name)
    typer.echo(
        f"Fill in {folder}/card.toml, and evaluate:\n"
        f"  {found.command('POLICY', 'results.jsonl')}\n"
        f"  mlcompiler-gym leaderboard pack {folder} results.jsonl"
    )


@leaderboard.command()
def pack(
    folder: Submitted,
    journal: Annotated[
        Path | None,
        typer.Argument(
            help="What `eval` wrote, or trajectories, one a line; in the class policy, "
            "a policy's file. Without: changes of the card are taken over."
        ),
    ] = None,
    compiles: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Compiles that each episode took to find [as eval wrote, or 1].",
        ),
    ] = None,
    board: BoardFolder = _BOARD,
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Put an evaluation's results into a submission.

    The best of several episodes of a program is taken. Each is compiled once more.
    """
    library = _library()
    loaded = library.Board.load(board)
    if journal is None:
        library.seal(folder, loaded)
        typer.echo(f"sealed {folder}")
        return
    with progress_of("programs") as progress:
        count = library.pack(
            folder,
            loaded,
            journal,
            compiles=compiles,
            players=make_players(workers, ray, ray_address),
            progress=progress,
        )
    typer.echo(f"packed {count} into {folder}")


@leaderboard.command()
def check(folder: Submitted, board: BoardFolder = _BOARD) -> None:
    """Say what is malformed, without compiling anything."""
    library = _library()
    submission = library.read(folder, library.Board.load(board))
    count = len(submission.entries)
    what = f"{count} trajectories" if submission.policy is None else "a policy"
    typer.echo(
        f"{submission.name} is well formed: {what} for {submission.card.track}, "
        f"{submission.card.class_name}"
    )


@leaderboard.command()
def verify(
    folder: Submitted,
    board: BoardFolder = _BOARD,
    journal: Annotated[
        Path | None,
        typer.Option(help="Says how far it has come [verifying-NAME.jsonl]."),
    ] = None,
    private: Annotated[
        Path | None,
        typer.Option(help="Folder of bitcode that a policy also plays on."),
    ] = None,
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Compile and run everything again, and write down what came of it.

    The same command again goes on where it stopped. Ends with status 1 if the
    submission is refused, 3 if a person has to look at it.
    """
    library = _library()
    loaded = library.Board.load(board)
    with progress_of("programs") as progress:
        verdict = library.verify(
            folder,
            loaded,
            journal,
            private=private,
            players=make_players(workers, ray, ray_address),
            progress=progress,
        )
    written = library.write_verdict(loaded, verdict)
    typer.echo(f"{verdict.report()}\nwritten to {written}")
    raise typer.Exit({"accepted": 0, "refused": 1, "flagged": 3}[verdict.status])


@leaderboard.command()
def rank(
    board: BoardFolder = _BOARD,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="[ranking.json of the board]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put verified submissions in order."""
    from mlcompiler_gym.files import write_file

    library = _library()
    loaded = library.Board.load(board)
    ranking = library.rank(loaded, library.read_verdicts(loaded))
    target = output or board / "ranking.json"
    write_file(target, ranking.to_json().encode())
    if as_json:
        typer.echo(ranking.to_json())
        return
    for name, classes in ranking.tracks.items():
        for class_name, standings in classes.items():
            if standings:
                _standings(f"{name}, {class_name}", standings).print()
    for word in ("flagged", "refused"):
        if listed := getattr(ranking, word):
            note(f"{word}: {', '.join(listed)}")
    note(f"written to {target}")


@leaderboard.command()
def site(
    board: BoardFolder = _BOARD,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write.")
    ] = Path("leaderboard-site"),
    decisions: Annotated[
        bool, typer.Option(help="Step through the best submissions' decisions.")
    ] = True,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps these decisions for the next time "
            "[decisions of the board]."
        ),
    ] = None,
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Write the static pages.

    The same command again compiles only what is new.
    """
    loaded = _library().Board.load(board)
    from mlcompiler_gym.leaderboard.site import write_site

    with progress_of("compiles and pages") as progress:
        count = write_site(
            loaded,
            output,
            decisions=decisions,
            keep=keep,
            players=make_players(workers, ray, ray_address),
            progress=progress,
        )
    typer.echo(f"{count} pages; open {output}/index.html")


def _standings(title: str, standings: Any) -> Table:
    table = Table(
        [
            *names("submission"),
            Column("#", "number", called="rank"),
            *numbers("ratio", "95%\nfrom", "95%\nto", "total", form=".4f"),
            *numbers("worse", form=".0%"),
            *numbers("worst", form=".4f"),
            Column("com-\npiles", "number", "g", called="compiles"),
            *numbers("time", form=".2f"),
        ],
        title=title,
    )
    for each in standings:
        low, high = each.interval or (None, None)
        table.add(
            each.submission,
            each.rank,
            each.ratio,
            low,
            high,
            each.total,
            each.worse,
            each.worst_ratio,
            each.compiles,
            None if each.measured is None else each.measured.compile_ratio,
        )
    return table
