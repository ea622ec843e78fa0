# SPDX-License-Identifier: Apache-2.0
"""Who is ahead of whom, as far as that can be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlcompiler_gym.evaluation.statistics import (
    DIGITS,
    Comparison,
    compare,
    rounded,
)
from mlcompiler_gym.leaderboard.tracks import Board, ClassName, Track
from mlcompiler_gym.leaderboard.typed import STRICT, Reader
from mlcompiler_gym.leaderboard.verdict import Private, Times, Verdict


@dataclass(frozen=True)
class Standing:
    """Where a submission stands in one class of a track.

    Ratios are against LLVM's own decisions; below 1 is better.

    Attributes:
        rank: From 1. Submissions that cannot be told apart share a rank.
        submission: Its name.
        title: As it is called.
        ratio: Geometric mean over programs.
        interval: Lower and upper end of its 95% interval; None: there is one package
            only.
        total: Sum of the values against the sum of LLVM's.
        worse: Part of the programs that are worse than LLVM's.
        worst_program: The one that is worst.
        worst_ratio: How bad it is.
        compiles: Compiles of a program, on average; None: it does not say.
        policy_bytes: Size of the policy's file.
        measured: On the verifier's machine.
        private: On the verifier's private set.
    """

    __pydantic_config__ = STRICT

    rank: int
    submission: str
    title: str
    ratio: float
    interval: tuple[float, float] | None
    total: float
    worse: float
    worst_program: str
    worst_ratio: float
    compiles: float | None
    policy_bytes: int | None
    measured: Times | None
    private: Private | None


@dataclass(frozen=True)
class Ranking:
    """The file ``ranking.json``.

    Attributes:
        llvm: LLVM's version.
        tracks: Standings by track and class, in the order of ranks.
        flagged: Names of submissions that a person has to look at.
        refused: Names of submissions that are not what they say.
    """

    __pydantic_config__ = STRICT

    llvm: str
    tracks: dict[str, dict[ClassName, tuple[Standing, ...]]]
    flagged: tuple[str, ...]
    refused: tuple[str, ...]

    def to_json(self) -> str:
        """The file's content; the same verdicts give the same bytes."""
        return Reader(Ranking).to_json(self, indent=1) + "\n"


def rank(board: Board, verdicts: Iterable[Verdict]) -> Ranking:
    """Put verified submissions in order."""
    every = sorted(verdicts, key=lambda verdict: verdict.submission)
    accepted = [each for each in every if each.status == "accepted"]
    return Ranking(
        board.llvm,
        {
            track.id: {
                name: _standings(
                    track,
                    [
                        each
                        for each in accepted
                        if (each.card.track, each.card.class_name) == (track.id, name)
                    ],
                )
                for name in track.classes
            }
            for track in board.tracks.values()
        },
        tuple(each.submission for each in every if each.status == "flagged"),
        tuple(each.submission for each in every if each.status == "refused"),
    )


def _standings(track: Track, verdicts: Sequence[Verdict]) -> tuple[Standing, ...]:
    rows = sorted(
        ((_comparison(verdict, track), verdict) for verdict in verdicts),
        key=lambda row: (round(row[0].mean.mean, DIGITS), row[1].submission),
    )
    standings = []
    rank, leader = 0, None
    for place, (found, verdict) in enumerate(rows, start=1):
        # Each is compared with the first of the rank. If it were compared with the
        # one before, a long chain of neighbours would share a rank.
        if leader is None or not found.mean.overlaps(leader):
            rank, leader = place, found.mean
        standings.append(_standing(rank, found, verdict))
    return tuple(standings)


def _comparison(verdict: Verdict, track: Track) -> Comparison:
    rows = ((row.program, row.value, row.baseline) for row in verdict.rows)
    return compare(rows, track.tie)


def _standing(rank: int, found: Comparison, verdict: Verdict) -> Standing:
    compiles = [row.compiles for row in verdict.rows if row.compiles is not None]
    return Standing(
        rank,
        verdict.submission,
        verdict.card.title,
        *rounded(found.mean),
        round(found.total, DIGITS),
        round(found.worse, DIGITS),
        found.worst_program,
        round(found.worst_ratio, DIGITS),
        round(sum(compiles) / len(compiles), DIGITS) if compiles else None,
        verdict.policy_bytes,
        verdict.times,
        verdict.private,
    )
