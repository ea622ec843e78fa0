# SPDX-License-Identifier: Apache-2.0
"""A picture of what tuning has found, compile by compile."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mlcompiler_gym.errors import MissingLibraryError
from mlcompiler_gym.tuning.tuner import Tried


def plot(
    file: str | os.PathLike[str],
    objectives: Sequence[str],
    baseline: Sequence[float],
    tried: Sequence[Tried],
    title: str,
) -> None:
    """Draw each objective relative to LLVM's own parameters, and the best so far.

    Args:
        file: To write; its ending says the format.
        objectives: Names.
        baseline: What LLVM's own parameters give.
        tried: Everything that was tried, in order.
        title: Title of the picture.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError("matplotlib", "tuning") from error
    # Not pyplot, which picks a display and keeps what it has drawn.
    figure = Figure(figsize=(7, 1 + 2.5 * len(objectives)), layout="tight")
    rows = figure.subplots(len(objectives), squeeze=False)[:, 0]
    for index, (axes, name, base) in enumerate(
        zip(rows, objectives, baseline, strict=True)
    ):
        numbers: list[int] = []
        values: list[float] = []
        best: list[float] = []
        for number, each in enumerate(tried, start=1):
            if each.values is None:
                continue
            value = each.values[index] / (base or 1.0)
            numbers.append(number)
            values.append(value)
            best.append(min([value, *best[-1:]]))
        axes.plot(numbers, values, ".", color="0.6", label="each compile")
        axes.step(numbers, best, where="post", label="best so far")
        axes.axhline(1.0, color="black", linewidth=0.8, label="LLVM's own")
        # What is much worse than LLVM's own is of no interest.
        axes.set_ylim(min(best, default=1.0) - 0.02, 1.2)
        axes.set_ylabel(f"{name} / LLVM's own")
    rows[0].set_title(title)
    rows[0].legend()
    rows[-1].set_xlabel("compiles")
    figure.savefig(file)
