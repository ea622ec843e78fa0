# SPDX-License-Identifier: Apache-2.0
"""The file of a learning curve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from support.curves import untimed

from mlcompiler_gym.errors import MissingLibraryError, TrainingError
from mlcompiler_gym.training.curve import Curve, Point, read_curve
from mlcompiler_gym.training.plot import _draw, draw_curves

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


def test_drawn_as_change_against_llvm() -> None:
    axes: Any = Figure().subplots()
    _draw(axes, ROUNDS)
    held_out, training, _ = axes.lines
    assert list(held_out.get_xdata()) == list(training.get_xdata()) == [3, 6]
    assert list(held_out.get_ydata()) == pytest.approx([-1, -2])
    assert training.get_ydata()[0] == pytest.approx(-3)
    assert np.isnan(training.get_ydata()[1])
    assert axes.get_xlabel() == "compiles"


def test_variants_are_drawn_by_name() -> None:
    axes: Any = Figure().subplots()
    _draw(axes, [Point(name, {"labels": 9}, {"bytes": -2.0}) for name in "ab"])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert list(axes.lines[0].get_ydata()) == [-2, -2]
    assert axes.get_ylabel() == "bytes"


def test_what_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="the learning curve mine has no points"):
        draw_curves(tmp_path / "c.png", {"mine": []})
    for name in ("c.nothing", "none/c.png"):
        with pytest.raises(TrainingError, match=f"cannot draw .*{name}"):
            draw_curves(tmp_path / name, {"mine": ROUNDS})
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingLibraryError, match=r"mlcompiler_gym\[tuning\]"):
        draw_curves(tmp_path / "c.png", {"mine": ROUNDS})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot read the learning curve"):
        read_curve(tmp_path / "none.jsonl")
