# SPDX-License-Identifier: Apache-2.0
"""Learning curves: what a training comes to, point by point, in a small file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.training.assignment import Assignment

#: The measure of what is played: the geometric mean of the objective against LLVM's.
RATIO = "ratio"


@dataclass(frozen=True)
class Point:
    """What is known after a part of a training; a line of the file.

    Attributes:
        name: Which part: ``"round 3"``, ``"margin 4"``.
        spent: What has been learned from so far, by unit: ``{"compiles": 480}``. The
            first is what the point is drawn above.
        held_out: What it comes to on packages that were not learned from, by measure.
            The first is drawn; ``low`` and ``high`` are the ends of its interval.
        training: The same on what was learned from, or another measure of it. Empty:
            it is not known.
        policy: File of the policy, beside the curve's; empty: none is kept.
        seconds: Time so far, in all runs; None: it was not taken. This is all that
            differs between two trainings that are the same.
    """

    name: str
    spent: Mapping[str, float]
    held_out: Mapping[str, float]
    training: Mapping[str, float] = field(default_factory=dict)
    policy: str = ""
    seconds: float | None = None


class Curve:
    """The file of a curve, a line of JSON for each point.

    Opened, it has the points of runs before. Each point is written as soon as it is
    known. Where a run comes to a point again, the point is not there twice.

    Args:
        path: The file; there need not be one.

    Attributes:
        points: All points, in order.

    Raises:
        TrainingError: The file is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.points = read_curve(path) if path.exists() else []
        self._since = time.monotonic()

    def add(
        self,
        name: str,
        spent: Mapping[str, float],
        held_out: Mapping[str, float],
        training: Mapping[str, float] | None = None,
        policy: str = "",
    ) -> None:
        """Write a point; see :class:`Point`.

        The time that a known point took is kept.
        """
        now = time.monotonic()
        before = self.points[-1].seconds if self.points else None
        seconds = round((before or 0.0) + now - self._since, 3)
        self._since = now
        point = Point(name, spent, held_out, training or {}, policy, seconds)
        for place, known in enumerate(self.points):
            if known.name == name:
                self.points[place] = replace(point, seconds=known.seconds)
                break
        else:
            self.points.append(point)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self.path, to_lines(self.points))


def to_lines(points: Iterable[Point]) -> bytes:
    """Points as they are in a file."""
    return "".join(json.dumps(asdict(point)) + "\n" for point in points).encode()


def read_curve(path: Path) -> list[Point]:
    """The points of a file.

    Raises:
        TrainingError: There is no such file, or it is something else.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"cannot read the learning curve {path}: {error}") from (
            error
        )
    points = []
    for number, line in enumerate(lines, start=1):
        try:
            point = Point(**json.loads(line))
            float(next(iter(point.spent.values())))
            float(next(iter(point.held_out.values())))
        except (ValueError, TypeError, AttributeError, StopIteration) as error:
            raise TrainingError(
                f"{path}, line {number} is no point of a learning curve; name a file "
                "that a training has written"
            ) from error
        points.append(point)
    return points


def digest_of(assignment: Assignment, settings: Any, *apart: str) -> str:
    """Tells trainings in one folder from one another.

    Args:
        assignment: What is learned.
        settings: The dataclass of the algorithm.
        apart: Settings with which a training may go on that began with others.
    """
    how = asdict(settings)
    for name in apart:
        del how[name]
    identity = [
        type(settings).__name__,
        assignment.env_id,
        dict(assignment.settings),
        how,
        [program.sha256.hex() for program in assignment.programs],
    ]
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
