# SPDX-License-Identifier: Apache-2.0
"""Learning curves without what differs from run to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlcompiler_gym.training.curve import Point, read_curve


def untimed(path: Path) -> list[Point]:
    """The points, each of which took a time and comes once."""
    points = read_curve(path)
    seconds = [point.seconds for point in points]
    assert seconds == sorted(each for each in seconds if each is not None)
    names = [point.name for point in points]
    assert len(names) == len(set(names)) > 0
    return [replace(point, seconds=None) for point in points]
