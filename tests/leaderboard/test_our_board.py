# SPDX-License-Identifier: Apache-2.0
"""The board of this repository: its submissions, verdicts and ranking fit together."""

import dataclasses
from pathlib import Path
from statistics import geometric_mean

import pytest
from support.leaderboard import OURS

from mlcompiler_gym.evaluation import LocalPlayers
from mlcompiler_gym.evaluation.statistics import ratio_of
from mlcompiler_gym.leaderboard import Board, rank, read, read_verdicts, verify
from mlcompiler_gym.leaderboard.verdict import Verdict
from mlcompiler_gym.measuring import OBJECTIVES

BOARD = Board.load(OURS)
VERDICTS = {verdict.submission: verdict for verdict in read_verdicts(BOARD)}
NAMES = sorted(path.name for path in BOARD.submissions.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_submission_is_what_was_verified(name: str) -> None:
    submission = read(BOARD.submissions / name, BOARD)
    assert VERDICTS[name].digest == submission.digest
    assert VERDICTS[name].card == submission.card
    assert VERDICTS[name].status == "accepted"
    hashes = BOARD.track(submission.card.track).hashes()
    assert [row.program for row in VERDICTS[name].rows] == list(hashes)
    # A policy claims nothing of a program.
    claims = {entry.program: entry.object_sha256 for entry in submission.entries}
    for row in VERDICTS[name].rows:
        assert row.object_sha256 == claims.get(row.program, row.object_sha256)
    assert set(claims) == (set() if submission.policy else set(hashes))


def test_the_ranking_is_that_of_the_verdicts() -> None:
    assert sorted(VERDICTS) == NAMES
    ranking = rank(BOARD, VERDICTS.values())
    assert ranking.to_json() == (OURS / "ranking.json").read_text()


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith("-llvm")])
def test_llvm_is_as_good_as_itself(name: str) -> None:
    tie = BOARD.track(VERDICTS[name].card.track).tie
    ratios = [ratio_of(row.value, row.baseline) for row in VERDICTS[name].rows]
    if not tie:
        assert set(ratios) == {1.0}
    # A time is measured, and of each program by itself only roughly.
    assert abs(geometric_mean(ratios) - 1) <= tie


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", {each.card.track: name for name, each in VERDICTS.items()}.values()
)
def test_verified_again_it_comes_to_the_same(name: str, tmp_path: Path) -> None:
    verdict = verify(
        BOARD.submissions / name,
        BOARD,
        tmp_path / "journal.jsonl",
        players=lambda what: LocalPlayers(what, 2),
    )
    measured = BOARD.track(verdict.card.track).objective in OBJECTIVES
    assert computed(verdict, measured) == computed(VERDICTS[name], measured)


def computed(verdict: Verdict, measured: bool) -> Verdict:
    """What is the same each time: without what was measured."""
    rows = verdict.rows
    if measured:
        rows = tuple(dataclasses.replace(row, value=0, baseline=0) for row in rows)
    return dataclasses.replace(verdict, rows=rows, times=None)
