# SPDX-License-Identifier: Apache-2.0
"""Intervals, ranks, and who waits for a person."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.leaderboard import make_board
from support.strategies import examples

from mlcompiler_gym.evaluation.statistics import geometric_mean, ratio_of
from mlcompiler_gym.leaderboard import (
    Board,
    LeaderboardError,
    Row,
    Verdict,
    rank,
    read_verdicts,
    write_verdict,
)
from mlcompiler_gym.leaderboard.card import Card
from mlcompiler_gym.leaderboard.verdict import Finding, Status, Times

ratios = st.lists(st.floats(0.5, 2.0), min_size=2, max_size=30)


@examples(30)
@given(ratios, st.data())
def test_the_mean_is_geometric_and_lies_in_its_interval(
    values: list[float], data: st.DataObject
) -> None:
    packages = data.draw(
        st.lists(st.sampled_from("abcdefg"), min_size=len(values), max_size=len(values))
    )
    found = geometric_mean(values, packages)
    assert found.mean == pytest.approx(math.prod(values) ** (1 / len(values)))
    if len(set(packages)) < 2:
        assert found.bounds is None
        return
    assert found.bounds is not None
    low, high = found.bounds
    assert min(values) - 1e-9 <= low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= high <= max(values) + 1e-9
    assert geometric_mean(values, packages) == found


def test_the_interval_is_that_of_resampled_packages() -> None:
    """Computed here by drawing packages one by one."""
    rng = np.random.default_rng(1)
    packages = [f"p{n // 3}" for n in range(24)]
    values = np.exp(rng.normal(0, 0.1, 8).repeat(3) + rng.normal(0, 0.01, 24))
    logs = np.log(values).reshape(8, 3)
    means = [np.exp(logs[rng.integers(8, size=8)].mean()) for _ in range(20_000)]
    found = geometric_mean(values.tolist(), packages)
    assert found.bounds is not None
    assert found.bounds == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=2e-3)
    # Programs of a package are alike, so that there are fewer than there seem to be.
    alone = geometric_mean(values.tolist(), [str(n) for n in range(24)])
    assert alone.bounds is not None
    assert alone.bounds[1] - alone.bounds[0] < found.bounds[1] - found.bounds[0]


@pytest.mark.parametrize(
    ("value", "baseline", "ratio"),
    [(9, 10, 0.9), (0, 0, 1), (3, 0, 4), (0, 3, 0.25), (7, 7, 1)],
)
def test_zeros_have_a_ratio(value: float, baseline: float, ratio: float) -> None:
    assert ratio_of(value, baseline) == ratio


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return make_board(tmp_path / "board")


def verdict(name: str, ratios: Sequence[float], status: Status = "accepted") -> Verdict:
    card = Card(
        title=name,
        track="loop",
        class_name="open",
        authors=("somebody",),
        method="some",
        code="none",
        training_data="none",
        training_cost="none",
        hardware="none",
        seeds=(),
        llvm="22.1.8",
        package="0.1.0",
    )
    rows = tuple(
        Row(f"loops/p{n}", 1000 * ratio, 1000, 5, None, "0" * 64, "same")
        for n, ratio in enumerate(ratios)
    )
    digest = f"{abs(hash(name)):064x}"[-64:]
    return Verdict(name, digest, card, "22.1.8", status, (), rows, None, None)


def ranks(board: Board, verdicts: Sequence[Verdict]) -> dict[str, int]:
    standings = rank(board, verdicts).tracks["loop"]["open"]
    return {each.submission: each.rank for each in standings}


def test_what_cannot_be_told_apart_shares_a_rank(board: Board) -> None:
    wide = [0.8, 0.9, 1.0, 1.1]
    verdicts = [
        verdict("clear", [0.5, 0.5, 0.5, 0.51]),
        verdict("wide", wide),
        verdict("wider", [ratio + 0.01 for ratio in wide]),
        verdict("bad", [2.0, 2.0, 2.0, 2.01]),
    ]
    expected = {"clear": 1, "wide": 2, "wider": 2, "bad": 4}
    assert ranks(board, verdicts) == expected
    assert list(ranks(board, verdicts)) == list(expected)
    # The order in which they come does not matter.
    assert rank(board, verdicts) == rank(board, verdicts[::-1])


def test_a_chain_of_neighbours_does_not_share_one_rank(board: Board) -> None:
    """Each overlaps with the next; the last does not with the first."""
    steps = [0.0, 0.06, 0.12, 0.18]
    verdicts = [
        verdict(f"c{n}", [0.5 + step, 0.52 + step, 0.56 + step, 0.6 + step])
        for n, step in enumerate(steps)
    ]
    assert ranks(board, verdicts)["c1"] == 1
    assert ranks(board, verdicts)["c3"] > 1


def test_equal_means_are_in_the_order_of_names(board: Board) -> None:
    verdicts = [verdict(name, [0.9, 1.1]) for name in ("b", "a")]
    assert list(ranks(board, verdicts)) == ["a", "b"]


def test_standings_say_what_came_of_the_worst(board: Board) -> None:
    [standing] = rank(board, [verdict("one", [0.5, 1.0, 1.5, 1.0])]).tracks["loop"][
        "open"
    ]
    assert standing.worse == 0.25
    assert standing.total == 1.0
    assert (standing.worst_program, standing.worst_ratio) == ("loops/p2", 1.5)
    assert standing.compiles is None


def test_a_person_lets_what_is_flagged_through(board: Board) -> None:
    flagged = dataclasses.replace(
        verdict("good", [0.1, 0.2], "flagged"),
        findings=(Finding("loops/p0", "suspicious", "90% better"),),
        times=Times(1.5),
    )
    write_verdict(board, flagged)
    assert rank(board, read_verdicts(board)).flagged == ("good",)
    review = f'[[reviews]]\ndigest = "{flagged.digest}"\nby = "me"\nreason = "I saw"\n'
    (board.folder / "reviews.toml").write_text(review)
    assert ranks(board, list(read_verdicts(board))) == {"good": 1}
    # For that submission, and for no other.
    write_verdict(board, dataclasses.replace(flagged, digest="1" * 64))
    assert rank(board, read_verdicts(board)).flagged == ("good",)


def test_verdicts_come_back_as_they_were_written(board: Board) -> None:
    written = verdict("some", [0.9, 1.0])
    path = write_verdict(board, written)
    assert list(read_verdicts(board)) == [written]
    path.write_text(path.read_text().replace('"value"', '"worth"', 1))
    with pytest.raises(LeaderboardError, match="verify the submission again"):
        list(read_verdicts(board))
