# SPDX-License-Identifier: Apache-2.0
"""Where the marks of a drawing are; templates draw them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlcompiler_gym.leaderboard.ranking import Standing
from mlcompiler_gym.leaderboard.tracks import ClassName

#: Size of the drawing, and of the margins for what is written on it.
WIDTH, HEIGHT = 640, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 16, 54
#: What lies between the ends of the axis and its first and last number: room for marks
#: on both sides.
_INSET = 32
#: How far marks of the same number of compiles may lie apart, and of all of them.
_APART, _SPREAD = 14, 48


@dataclass(frozen=True)
class Mark:
    """A submission in the budget curve.

    Attributes:
        x: From the left.
        y: From the top: its gain.
        low: From the top: the lower end of the interval of the gain.
        high: From the top: its upper end.
        standing: The submission.
        class_name: Its class.
        outside: Whether it lies lower than what is drawn.
    """

    x: float
    y: float
    low: float
    high: float
    standing: Standing
    class_name: ClassName
    outside: bool


@dataclass(frozen=True)
class Curve:
    """Gain against compiles.

    Attributes:
        marks: The submissions, by compiles.
        best: From the left and from the top, the best mark of each number of compiles
            that is better than all with fewer.
        x_ticks: Places from the left, and what is written there.
        y_ticks: Places from the top, and what is written there.
        zero: From the top: no gain.
    """

    marks: tuple[Mark, ...]
    best: tuple[tuple[float, float], ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    zero: float


def budget_curve(classes: Mapping[ClassName, Sequence[Standing]]) -> Curve | None:
    """Where each submission stands that says how many compiles it took.

    Args:
        classes: Standings by class.

    Returns:
        None if there are none, or if none of them has spent more than one.
    """
    rows = [
        (name, each)
        for name, standings in classes.items()
        for each in standings
        if each.compiles is not None
    ]
    if max((_compiles(each) for _, each in rows), default=1.0) == 1:
        return None
    decades = max(1, math.ceil(math.log10(max(_compiles(e) for _, e in rows)) - 1e-9))
    # Values far worse than LLVM are cut off, to leave room for differences that count.
    floor = -max(5.0, 2 * max(_gains(each)[1] for _, each in rows))
    gains = [max(floor, gain) for _, each in rows for gain in _gains(each)]
    # In percent; a smaller span would show differences that matter to no reader.
    step = _step(max(1.0, max([*gains, 0.0]) - min([*gains, 0.0])))
    lowest = math.floor(min([*gains, 0.0]) / step)
    highest = max(math.ceil(max([*gains, 0.0]) / step), lowest + 1)

    def x_of(compiles: float) -> float:
        part = math.log10(compiles) / decades
        return _LEFT + _INSET + part * (WIDTH - _LEFT - _RIGHT - 2 * _INSET)

    def y_of(gain: float) -> float:
        part = (max(gain, lowest * step) / step - lowest) / (highest - lowest)
        return round(HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM), 1)

    marks: list[Mark] = []
    best: list[tuple[float, float]] = []
    rows.sort(key=lambda row: _compiles(row[1]))
    for compiles, group in itertools.groupby(rows, lambda row: _compiles(row[1])):
        alike = list(group)
        # Side by side, or they would hide each other.
        apart = min(_APART, _SPREAD / max(1, len(alike) - 1))
        for place, (name, each) in enumerate(alike):
            x = round(x_of(compiles) + (place - (len(alike) - 1) / 2) * apart, 1)
            low, gain, high = _gains(each)
            ends = y_of(gain), y_of(low), y_of(high)
            marks.append(Mark(x, *ends, each, name, gain < lowest * step))
        first = min(marks[-len(alike) :], key=lambda mark: mark.y)
        if not best or first.y < best[-1][1]:
            best.append((first.x, first.y))
    return Curve(
        tuple(marks),
        tuple(best),
        tuple((round(x_of(10**n), 1), f"{10**n}") for n in range(decades + 1)),
        tuple(
            (y_of(n * step), f"{n * step:+.3g}%" if n else "0%")
            for n in _whole(lowest, highest)
        ),
        y_of(0.0),
    )


def _whole(lowest: int, highest: int) -> Iterable[int]:
    return range(lowest, highest + 1)


def _compiles(standing: Standing) -> float:
    return max(1.0, standing.compiles or 1.0)


def _gains(standing: Standing) -> tuple[float, float, float]:
    """In percent: the lower end of the interval, the mean, the upper end."""
    best, worst = standing.interval or (standing.ratio, standing.ratio)
    low, mean, high = (100 * (1 - ratio) for ratio in (worst, standing.ratio, best))
    return low, mean, high


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides a span into about five."""
    power = 10.0 ** math.floor(math.log10(span))
    return next(n * power / 10 for n in (2, 5, 10, 20) if n * power / 10 * 6 >= span)


@dataclass(frozen=True)
class Bar:
    """A ratio as a bar from the middle: to the left where it is better than LLVM.

    Attributes:
        left: Where it begins, in percent of the width.
        width: How long it is, in the same unit.
        better: Whether it is better than LLVM.
    """

    left: float
    width: float
    better: bool


def bars(ratios: Sequence[float]) -> list[Bar]:
    """Bars of the same scale; the longest is half as wide as there is room."""
    longest = max((abs(1 - ratio) for ratio in ratios), default=0.0) or 1.0
    found = []
    for ratio in ratios:
        width = round(50 * abs(1 - ratio) / longest, 2)
        found.append(Bar(50 - width if ratio < 1 else 50.0, width, ratio < 1))
    return found
