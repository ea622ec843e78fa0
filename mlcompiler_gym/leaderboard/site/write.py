# SPDX-License-Identifier: Apache-2.0
"""Writing the pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.evaluation.statistics import ratio_of
from mlcompiler_gym.files import write_file
from mlcompiler_gym.leaderboard.decider import Decider
from mlcompiler_gym.leaderboard.errors import LeaderboardError
from mlcompiler_gym.leaderboard.ranking import Ranking, Standing, rank
from mlcompiler_gym.leaderboard.site import charts
from mlcompiler_gym.leaderboard.submission import read
from mlcompiler_gym.leaderboard.tracks import Board, Track
from mlcompiler_gym.leaderboard.verdict import Row, Verdict, read_verdicts
from mlcompiler_gym.leaderboard.walk import Step, Walker
from mlcompiler_gym.programs import Program

#: Programs of a track whose decisions are shown: those with the largest gains.
_SHOWN = 30
#: Decisions of each.
_STEPS = 120

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


@dataclass(frozen=True)
class Decision:
    """A step of the best submission of a program.

    Attributes:
        number: From 1.
        step: What was decided.
        differs: Whether LLVM would have decided otherwise.
    """

    number: int
    step: Step
    differs: bool


def write_site(
    board: Board,
    output: Path,
    *,
    decisions: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write all pages, with everything that they need.

    Args:
        board: What is shown.
        output: Folder; what is in it of an earlier site is replaced.
        decisions: Compile the best submission of each program once more, to show its
            decisions.
        progress: Called with the pages that are written and all.

    Returns:
        How many pages there are.

    Raises:
        LeaderboardError: The folder has something else in it.
    """
    verdicts = list(read_verdicts(board))
    site = _Site(board, verdicts, rank(board, verdicts))
    pages = list(site.pages(decisions))
    _clear(output)
    for done, (name, make) in enumerate(pages):
        progress(done, len(pages))
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, make().encode())
    site.close()
    progress(len(pages), len(pages))
    return len(pages)


def _clear(output: Path) -> None:
    mark = output / "assets" / "board.js"
    if output.exists() and any(output.iterdir()) and not mark.exists():
        raise LeaderboardError(
            f"{output} has something in it that is no site; name another folder"
        )
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
        self._walkers: dict[str, Walker] = {}
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

    def pages(self, decisions: bool) -> Iterator[tuple[str, Callable[[], str]]]:
        """Name of each page, and what makes it."""
        yield "index.html", self._index
        for track in self._board.tracks.values():
            yield f"tracks/{track.id}.html", partial(self._track, track)
            results = self._results(track)
            best = sorted(results, key=lambda name: results[name][0].ratio)[:_SHOWN]
            for name, each in results.items():
                look = decisions and name in best
                yield (
                    page_of(track.id, name),
                    partial(self._program, track, name, each, look),
                )
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
            programs=sorted(self._results(track)),
            waiting=[
                verdict
                for verdict in self._verdicts.values()
                if verdict.card.track == track.id and verdict.status != "accepted"
            ],
        )

    def _results(self, track: Track) -> dict[str, list[Result]]:
        """By program, the best first."""
        found: dict[str, list[Result]] = {}
        for verdict in self._verdicts.values():
            if verdict.card.track == track.id and verdict.status == "accepted":
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
        results = self._results(track) if track else {}
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

    def _program(
        self, track: Track, name: str, results: list[Result], look: bool
    ) -> str:
        decisions, left_out = (
            self._decisions(track, name, results[0].verdict) if look else ([], 0)
        )
        return self._render(
            "program.html",
            "../../",
            track=track,
            program=name,
            rows=list(
                zip(results, charts.bars([each.ratio for each in results]), strict=True)
            ),
            decisions=decisions,
            left_out=left_out,
        )

    def _decisions(
        self, track: Track, name: str, verdict: Verdict
    ) -> tuple[list[Decision], int]:
        """The first decisions of a submission, and how many more there are.

        There are none if it is not what was verified any more.
        """
        program = next(each for each in track.load() if each.name == name)
        actions = self._actions(track, verdict, program)
        if actions is None:
            return [], 0
        if track.id not in self._walkers:
            evaluation = track.evaluation("llvm")
            self._walkers[track.id] = Walker(evaluation, track.objective)
        walk = self._walkers[track.id].walk(program, actions, look=_STEPS)
        decisions = [
            Decision(number + 1, step, number in walk.differing)
            for number, step in enumerate(walk.steps)
        ]
        return decisions, walk.taken - len(decisions)

    def _actions(
        self, track: Track, verdict: Verdict, program: Program
    ) -> Sequence[Action] | None:
        folder = self._board.submissions / verdict.submission
        try:
            submission = read(folder, self._board)
        except MLCompilerGymError:
            return None
        if submission.digest != verdict.digest:
            return None
        if submission.policy is not None:
            decider = Decider(track, submission.policy)
            actions, _ = decider.decide(program)
            decider.close()
            return actions
        return next(
            each.actions for each in submission.entries if each.program == program.name
        )

    def close(self) -> None:
        for walker in self._walkers.values():
            walker.close()
