# SPDX-License-Identifier: Apache-2.0
"""How well numbers of builds say which of two is faster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.modelling.builds import Builds, Pairs

#: Sizes of differences that are told apart, as multiples of the noise.
SIZES = (1.0, 2.0, 4.0, 8.0)
#: Differences of this size and more are what a model is judged by.
JUDGED = 2.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How often a number has the sign of the measured difference.

    A number that is the same for both builds has no sign, and does not agree. Every
    program counts the same.

    Attributes:
        share: The share among pairs whose times differ by ``JUDGED`` times the
            noise or more; NaN if there is none.
        low: Lower end of the 95% interval, by a bootstrap of programs.
        high: Its upper end.
        by_size: The shares among pairs whose differences lie between one of
            ``SIZES`` and the next; the last has no upper end.
        by_task: The shares among pairs of builds that both come of one task.
        correlation: Spearman's, of the builds of a program; mean over programs.
    """

    share: float
    low: float
    high: float
    by_size: tuple[float, ...]
    by_task: Mapping[str, float]
    correlation: float


def agreement(builds: Builds, values: Floats) -> Agreement:
    """Compare a number of each build with the times.

    Args:
        builds: What was measured.
        values: A number for each build, lower for what should be faster, float64 of
            shape (n,). Pairs of which one is NaN do not count.
    """
    pairs = builds.pairs()
    pairs = pairs[np.isfinite(values[pairs.first] - values[pairs.second])]
    programs = builds.table["program"].to_numpy()[pairs.first]
    agrees = np.sign(values[pairs.first] - values[pairs.second]) == np.sign(
        pairs.differences
    )
    sizes = pairs.multiples
    judged = sizes >= JUDGED
    by_program = _by_program(agrees[judged], programs[judged])
    drawn = np.random.default_rng(0).choice(
        by_program, (2000, len(by_program) or 1)
    ).mean(axis=1) if len(by_program) else np.full(1, np.nan)  # fmt: skip
    low, high = np.percentile(drawn, [2.5, 97.5])
    ends = (*SIZES[1:], np.inf)
    tasks = builds.table["task"].to_numpy()
    same = tasks[pairs.first] == tasks[pairs.second]
    return Agreement(
        _mean(by_program),
        float(low),
        float(high),
        tuple(
            _mean(_by_program(agrees[within], programs[within]))
            for begin, end in zip(SIZES, ends, strict=True)
            for within in [(sizes >= begin) & (sizes < end)]
        ),
        {
            str(task): _mean(_by_program(agrees[within], programs[within]))
            for task in np.unique(tasks)
            for within in [judged & same & (tasks[pairs.first] == task)]
        },
        _mean(_correlations(builds, values)),
    )


def counts_by_size(pairs: Pairs) -> tuple[int, ...]:
    """How many pairs differ by one of ``SIZES`` up to the next."""
    edges = np.array([*SIZES, np.inf])
    return tuple(int(n) for n in np.histogram(pairs.multiples, edges)[0])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _by_program(agrees: NDArray[np.bool_], programs: NDArray[np.object_]) -> Floats:
    _, place = np.unique(programs.astype(str), return_inverse=True)
    counts = np.bincount(place)
    shares: Floats = np.bincount(place, agrees) / np.maximum(counts, 1)
    return shares


def _correlations(builds: Builds, values: Floats) -> Floats:
    found = []
    times = builds.times
    for rows in builds.groups:
        rows = rows[np.isfinite(values[rows]) & np.isfinite(times[rows])]
        first, second = _ranks(times[rows]), _ranks(values[rows])
        if len(rows) > 2 and np.ptp(first) > 0 and np.ptp(second) > 0:
            found.append(float(np.corrcoef(first, second)[0, 1]))
    return np.array(found)


def _ranks(values: Floats) -> Floats:
    """Ranks; the same values have the same rank, the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[place]
    return ranks
