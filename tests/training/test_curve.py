# SPDX-License-Identifier: Apache-2.0
"""The file of a learning curve."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.curves import untimed

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.training.curve import Curve, Point, read_curve

ROUNDS = [
    Point("round 1", {"compiles": 3.0}, {"ratio": 0.99}, {"ratio": 0.97}, "a.policy"),
    Point("round 2", {"compiles": 6.0}, {"ratio": 0.98, "worse": 0.5}),
]


def add(curve: Curve, point: Point) -> None:
    curve.add(
        point.name, point.spent, point.held_out, point.training, policy=point.policy
    )


def test_a_run_that_goes_on_has_each_point_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "curve.jsonl"
    add(Curve(path), ROUNDS[0])
    [first] = read_curve(path)
    again = Curve(path)
    for point in ROUNDS:
        add(again, point)
    assert untimed(path) == ROUNDS
    assert read_curve(path)[0].seconds == first.seconds
    assert len(path.read_text().splitlines()) == len(ROUNDS)


def test_a_point_says_what_is_known_now(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    add(Curve(path), ROUNDS[0])
    Curve(path).add("round 1", {"compiles": 3.0}, {"ratio": 0.5})
    assert untimed(path) == [Point("round 1", {"compiles": 3.0}, {"ratio": 0.5})]


@pytest.mark.parametrize(
    "line",
    ['{"env": "mlcompiler/Inlining-v0"}', "[]", "{", '{"name": "round 1"}']
    + [
        f'{{"name": "1", "spent": {spent}, "held_out": {held_out}}}'
        for spent, held_out in (("{}", '{"a": 1}'), ('{"a": 1}', '{"a": "b"}'), (1, 2))
    ],
)
def test_another_file(line: str, tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(TrainingError, match=r"curve\.jsonl, line 1 is no point"):
        Curve(path)
    assert path.read_text() == line + "\n"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot read the learning curve"):
        read_curve(tmp_path / "none.jsonl")
