# SPDX-License-Identifier: Apache-2.0
"""Whether one of two builds that were run in turn is faster than the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A pair whose ratio lies further outside the quartiles than so many times their
#: distance has been disturbed, for instance by another process.
_FAR_OUT = 3.0


@dataclass(frozen=True)
class Paired:
    """What pairs of runs say of two builds.

    Attributes:
        ratio: Median of the ratios of the pairs that count.
        low: With the confidence asked for, the median of all ratios that there could
            be is no less than this.
        high: Nor is it more than this.
        pairs: How many count.
        outliers: How many do not.
    """

    ratio: float
    low: float
    high: float
    pairs: int
    outliers: int

    @property
    def differs(self) -> bool:
        """Whether there is a difference beyond the spread of the runs."""
        return not self.low <= 1 <= self.high

    def is_within(self, precision: float) -> bool:
        """Whether the ratio is known to that part of it, to either side."""
        return self.high - self.low <= 2 * precision * self.ratio


def compare_pairs(
    values: Sequence[float] | NDArray[np.float64],
    bases: Sequence[float] | NDArray[np.float64],
    confidence: float,
) -> Paired:
    """Compare runs of a build with those of another that were made in turn with them.

    Nothing is taken for granted of how the times are distributed: the bounds are two
    of the ratios in their order, such that the median lies between them with at least
    that confidence. With 95%, there are none of less than 6 pairs.

    Args:
        values: One for each run of the build.
        bases: One for each run of the other, above 0.
        confidence: Probability, below 1, that the bounds hold.
    """
    ratios = np.sort(np.asarray(values, float) / np.asarray(bases, float))
    first, third = np.percentile(ratios, [25, 75])
    reach = _FAR_OUT * (third - first)
    kept = ratios[(first - reach <= ratios) & (ratios <= third + reach)]
    rank = _rank(len(kept), confidence)
    low, high = (kept[rank], kept[-1 - rank]) if rank is not None else (0.0, math.inf)
    return Paired(
        float(np.median(kept)),
        float(low),
        float(high),
        len(kept),
        len(ratios) - len(kept),
    )


def _rank(count: int, confidence: float) -> int | None:
    """How many of the values in order lie outside of the bounds, on each side.

    The median of what they were drawn from lies below the lowest ``rank + 1`` of them
    as often as that many coins or fewer show heads.
    """
    outside, found = 0.0, None
    for rank in range(count // 2):
        outside += 2 * math.comb(count, rank) / 2**count
        if outside > 1 - confidence:
            break
        found = rank
    return found
