# SPDX-License-Identifier: Apache-2.0
"""A picture of learning curves."""

from __future__ import annotations

import itertools
import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from mlcompiler_gym.errors import MissingLibraryError, TrainingError
from mlcompiler_gym.training.curve import RATIO, Point

#: Curves beside each other.
_COLUMNS = 2
#: Characters that there is room for beside one.
_WIDTH = 32


def draw_curves(
    file: str | os.PathLike[str], curves: Mapping[str, Sequence[Point]]
) -> None:
    """Draw what trainings come to on packages that they did not learn from.

    What they come to where they learned is drawn beside it, if it is the same measure.

    Args:
        file: To write; its ending says the format.
        curves: The points of each, by its title.

    Raises:
        MissingLibraryError: matplotlib is not installed.
        TrainingError: A curve has no points, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError("matplotlib", "tuning") from error
    for title, points in curves.items():
        if not points:
            raise TrainingError(f"the learning curve {title} has no points")
    rows = math.ceil(len(curves) / _COLUMNS)
    # Not pyplot, which picks a display and keeps what it has drawn.
    figure = Figure(figsize=(9, 3.2 * rows), layout="tight")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in panels[len(curves) :]:
        axes.remove()
    for axes, (title, points) in zip(panels, curves.items(), strict=False):
        axes.set_title(title)
        _draw(axes, points)
    panels[0].legend()
    try:
        figure.savefig(file, dpi=150)
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot draw {os.fspath(file)}: {error}") from error


def _draw(axes: Any, points: Sequence[Point]) -> None:
    unit = next(iter(points[0].spent))
    spent = [point.spent[unit] for point in points]
    if all(before < after for before, after in itertools.pairwise(spent)):
        axes.set_xlabel(unit)
        axes.locator_params(axis="x", nbins=6)
    else:
        # These are variants that were learned from the same.
        spent = [float(place) for place in range(len(points))]
        axes.set_xticks(spent, [point.name for point in points])
    measure = next(iter(points[0].held_out))
    wanted = "against LLVM, %" if measure == RATIO else measure
    axes.set_ylabel("\n".join(textwrap.wrap(wanted, _WIDTH)))
    held_out = [_shown(measure, point.held_out[measure]) for point in points]
    (line,) = axes.plot(spent, held_out, "o-", markersize=3, label="other packages")
    bounds = [
        [_shown(measure, point.held_out.get(end, math.nan)) for point in points]
        for end in ("low", "high")
    ]
    axes.fill_between(spent, *bounds, color=line.get_color(), alpha=0.2, linewidth=0)
    trained = [
        _shown(measure, point.training.get(measure, math.nan)) for point in points
    ]
    axes.plot(spent, trained, ".--", color="0.6", label="where it was learned")
    axes.axhline(0, color="black", linewidth=0.8)


def _shown(measure: str, value: float) -> float:
    """A value as it is drawn: a ratio by its per cents."""
    return 100 * (value - 1) if measure == RATIO else value
