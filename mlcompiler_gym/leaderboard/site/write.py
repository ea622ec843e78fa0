# SPDX-License-Identifier: Apache-2.0
"""Writing the pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.evaluation import LocalPlayers
from mlcompiler_gym.evaluation.statistics import ratio_of
from mlcompiler_gym.files import write_file
from mlcompiler_gym.leaderboard.errors import LeaderboardError
from mlcompiler_gym.leaderboard.ranking import Ranking, Standing, rank
from mlcompiler_gym.leaderboard.site import charts
from mlcompiler_gym.leaderboard.site.decisions import (
    STEPS,
    MakePlayers,
    Wanted,
    look,
)
from mlcompiler_gym.leaderboard.submission import Submission, read
from mlcompiler_gym.leaderboard.tracks import Board, Track
from mlcompiler_gym.leaderboard.verdict import Row, Verdict, read_verdicts
from mlcompiler_gym.leaderboard.walk import Step

#: Programs of a track whose decisions are shown: those with the largest gains.
_SHOWN = 30

_FOLDER = resources.files("mlcompiler_gym.leaderboard.site")


@dataclass(frozen=True)
class Result:
    """What a submission came to on one program.

    Attributes:
        verdict: The submission.
        row: What the verifier found.
        ratio: Against LLVM.
    """

    verdict: Verdict
    row: Row
    ratio: float


def write_site(
    board: Board,
    output: Path,
    *,
    decisions: bool = True,
    keep: Path | None = None,
    players: MakePlayers = LocalPlayers,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write all pages, with everything that they need.

    The same board gives the same pages, however many processes compile, and however
    much was kept.

    Args:
        board: What is shown.
        output: Folder; what is in it of an earlier site is replaced.
        decisions: Compile the best submission of each program once more, to show its
            decisions.
        keep: Folder that keeps these decisions for the next time. ``None``:
            ``decisions`` in the board's folder.
        players: Who compiles.
        progress: Called with the compiles and pages that are done, and all.

    Returns:
        How many pages there are.

    Raises:
        LeaderboardError: The folder has something else in it, or the compiler here is
            another one than the board's.
    """
    _check(output)
    verdicts = list(read_verdicts(board))
    site = _Site(board, verdicts, rank(board, verdicts))
    pages = list(site.pages())
    compiled = 0

    def compiling(done: int, total: int) -> None:
        nonlocal compiled
        compiled = total
        progress(done, total + len(pages))

    if decisions:
        site.look(keep or board.folder / "decisions", players, compiling)
    _clear(output)
    for done, (name, make) in enumerate(pages):
        progress(compiled + done, compiled + len(pages))
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, make().encode())
    progress(compiled + len(pages), compiled + len(pages))
    return len(pages)


def _check(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise LeaderboardError(f"{output} is no folder; name another")
    mark = output / "assets" / "board.js"
    if output.exists() and any(output.iterdir()) and not mark.exists():
        raise LeaderboardError(
            f"{output} has something in it that is no site; name another folder"
        )


def _clear(output: Path) -> None:
    shutil.rmtree(output, ignore_errors=True)
    (output / "assets").mkdir(parents=True)
    for asset in (_FOLDER / "assets").iterdir():
        (output / "assets" / asset.name).write_bytes(asset.read_bytes())


def page_of(track: str, program: str) -> str:
    """Path of a program's page, from the folder of the site."""
    return f"programs/{track}/{program.replace('/', '--')}.html"


class _Site:
    """The pages, each made when it is written."""

    def __init__(
        self, board: Board, verdicts: Sequence[Verdict], ranking: Ranking
    ) -> None:
        self._board = board
        self._verdicts = {verdict.submission: verdict for verdict in verdicts}
        self._ranking = ranking
        self._results = {track: self._results_of(track) for track in board.tracks}
        #: The decisions that are shown, by track and program.
        self._steps: Mapping[tuple[str, str], Sequence[Step]] = {}
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("mlcompiler_gym.leaderboard.site"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "board": board,
            "page_of": page_of,
            "ratio_of": ratio_of,
        }

    def look(
        self,
        keep: Path,
        players: MakePlayers,
        progress: Callable[[int, int], None],
    ) -> None:
        """Find out what the best submissions decided."""
        wanted = list(self._wanted())
        self._steps = look(self._board, wanted, keep, players, progress)

    def pages(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Name of each page, and what makes it."""
        yield "index.html", self._index
        for track in self._board.tracks.values():
            yield f"tracks/{track.id}.html", partial(self._track, track)
            for name, each in self._results[track.id].items():
                yield page_of(track.id, name), partial(self._program, track, name, each)
        for verdict in self._verdicts.values():
            yield (
                f"submissions/{verdict.submission}.html",
                partial(self._submission, verdict),
            )

    def _render(self, template: str, root: str, **values: Any) -> str:
        found = self._templates.get_template(template)
        return found.render(root=root, **values)

    def _index(self) -> str:
        return self._render(
            "index.html",
            "",
            ranking=self._ranking,
            verdicts=self._verdicts,
            counts={
                track.id: sum(len(s) for s in self._ranking.tracks[track.id].values())
                for track in self._board.tracks.values()
            },
        )

    def _track(self, track: Track) -> str:
        classes = self._ranking.tracks[track.id]
        return self._render(
            "track.html",
            "../",
            track=track,
            classes=classes,
            every=[each for standings in classes.values() for each in standings],
            curve=charts.budget_curve(classes),
            chart=charts,
            programs=list(self._results[track.id]),
            waiting=[
                verdict
                for verdict in self._verdicts.values()
                if verdict.card.track == track.id and verdict.status != "accepted"
            ],
        )

    def _results_of(self, track: str) -> dict[str, list[Result]]:
        """By program, the best first."""
        found: dict[str, list[Result]] = {}
        for verdict in self._verdicts.values():
            if verdict.card.track == track and verdict.status == "accepted":
                for row in verdict.rows:
                    ratio = ratio_of(row.value, row.baseline)
                    found.setdefault(row.program, []).append(
                        Result(verdict, row, ratio)
                    )
        return {
            name: sorted(found[name], key=lambda each: each.ratio)
            for name in sorted(found)
        }

    def _submission(self, verdict: Verdict) -> str:
        track = self._board.tracks.get(verdict.card.track)
        results = self._results.get(verdict.card.track, {})
        ratios = [ratio_of(row.value, row.baseline) for row in verdict.rows]
        return self._render(
            "submission.html",
            "../",
            verdict=verdict,
            track=track,
            standing=self._standing(verdict),
            rows=list(zip(verdict.rows, ratios, charts.bars(ratios), strict=True)),
            best={name: each[0] for name, each in results.items()},
        )

    def _standing(self, verdict: Verdict) -> Standing | None:
        classes = self._ranking.tracks.get(verdict.card.track, {})
        for standing in classes.get(verdict.card.class_name, ()):
            if standing.submission == verdict.submission:
                return standing
        return None

    def _program(self, track: Track, name: str, results: list[Result]) -> str:
        steps = self._steps.get((track.id, name), ())
        return self._render(
            "program.html",
            "../../",
            track=track,
            program=name,
            rows=list(
                zip(results, charts.bars([each.ratio for each in results]), strict=True)
            ),
            steps=steps,
            decisions=results[0].row.decisions,
        )

    def _wanted(self) -> Iterator[Wanted]:
        """The decisions of the best submission of each program with a large gain."""
        submissions: dict[str, Submission | None] = {}
        for track in self._board.tracks.values():
            results = self._results[track.id]
            hashes = track.hashes() if results else {}
            for name in sorted(results, key=lambda name: results[name][0].ratio)[
                :_SHOWN
            ]:
                verdict = results[name][0].verdict
                if verdict.submission not in submissions:
                    submissions[verdict.submission] = self._read(verdict)
                submission = submissions[verdict.submission]
                if submission is not None:
                    yield _wanted_of(track, name, hashes[name], submission)

    def _read(self, verdict: Verdict) -> Submission | None:
        """A submission; None if it is not what was verified any more."""
        folder = self._board.submissions / verdict.submission
        try:
            submission = read(folder, self._board)
        except MLCompilerGymError:
            return None
        return submission if submission.digest == verdict.digest else None


def _wanted_of(track: Track, name: str, sha256: str, submission: Submission) -> Wanted:
    if submission.policy is not None:
        return Wanted(track, name, sha256, policy=submission.policy)
    actions = next(e.actions for e in submission.entries if e.program == name)
    return Wanted(track, name, sha256, tuple(actions[:STEPS]))
