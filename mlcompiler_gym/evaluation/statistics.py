# SPDX-License-Identifier: Apache-2.0
"""What many programs come to together.

SciPy's bootstrap does the drawing. It resamples groups when it is given sums of them,
and its random numbers come from a generator with a fixed seed. Others would check the
figures with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from mlcompiler_gym.programs.named_set import package_of

#: Samples that an interval is made of.
_RESAMPLES = 9999
_SEED = 0
_CONFIDENCE = 0.95

#: Digits behind the point that are kept; further ones depend on the machine's libm.
DIGITS = 6


@dataclass(frozen=True)
class Interval:
    """A mean, and where it may lie.

    Attributes:
        mean: The mean; of ratios, the geometric one.
        bounds: Lower and upper end of the 95% interval; None: one package tells
            nothing of others.
    """

    mean: float
    bounds: tuple[float, float] | None

    def overlaps(self, other: Interval) -> bool:
        """Whether the two cannot be told apart."""
        if self.bounds is None or other.bounds is None:
            return True
        (low, high), (other_low, other_high) = self.bounds, other.bounds
        return low <= other_high and other_low <= high


def ratio_of(value: float, baseline: float) -> float:
    """Value against LLVM's; below 1 is better.

    Where one of them is 0 (no spill at all), both are taken one larger.
    """
    if value == baseline:
        return 1.0
    if value == 0 or baseline == 0:
        return (value + 1) / (baseline + 1)
    return value / baseline


def geometric_mean(ratios: Sequence[float], packages: Sequence[str]) -> Interval:
    """Geometric mean with a 95% interval, by a bootstrap of packages.

    Args:
        ratios: The ratio of each program; positive.
        packages: That each belongs to.
    """
    return mean_of(np.log(np.asarray(ratios, np.float64)), packages, np.exp)


def mean_of(
    values: NDArray[np.float64],
    packages: Sequence[str],
    scale: Callable[[Any], Any] = np.asarray,
) -> Interval:
    """Mean with a 95% interval, by a bootstrap of packages.

    Programs of one package are alike, so packages are what is drawn, with all of
    their programs.

    Args:
        values: The value of each program, or of each decision; shape (n,).
        packages: That each belongs to.
        scale: What the mean and the ends of its interval are put through.
    """
    names = sorted(set(packages))
    places = np.array([names.index(each) for each in packages])
    sums = np.bincount(places, values, len(names))
    counts = np.bincount(places, minlength=len(names)).astype(np.float64)
    found = float(scale(values.mean()))
    if len(names) < 2:
        return Interval(found, None)

    def statistic(
        sums: NDArray[np.float64], counts: NDArray[np.float64], axis: int
    ) -> NDArray[np.float64]:
        means: NDArray[np.float64] = scale(sums.sum(axis) / counts.sum(axis))
        return means

    drawn = bootstrap(
        (sums, counts),
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Interval(found, (float(drawn.low), float(drawn.high)))


@dataclass(frozen=True)
class Comparison:
    """What programs come to together, against what each is compared with.

    A ratio is a value against the value that it is compared with; below 1 is better.

    Attributes:
        mean: Geometric mean of the ratios, with its interval.
        total: Sum of the values against the sum of the others.
        worse: Part of the programs that are worse by more than the tie.
        worst_program: The one that is worst.
        worst_ratio: How bad it is.
    """

    mean: Interval
    total: float
    worse: float
    worst_program: str
    worst_ratio: float


def compare(
    rows: Iterable[tuple[str, float, float]],
    tie: float = 0.0,
    packages: Sequence[str] | None = None,
) -> Comparison:
    """What programs come to together.

    Args:
        rows: Name and value of each program, and the value to compare with.
        tie: Ratios that lie no further above 1 are no worse.
        packages: The package of each row, where names are not those of programs.
    """
    names, values, others = zip(*rows, strict=True)
    ratios = [ratio_of(*each) for each in zip(values, others, strict=True)]
    worst_ratio, worst_program = max(zip(ratios, names, strict=True))
    return Comparison(
        geometric_mean(ratios, packages or [package_of(name) for name in names]),
        ratio_of(sum(values), sum(others)),
        sum(ratio > 1 + tie for ratio in ratios) / len(ratios),
        worst_program,
        worst_ratio,
    )


def rounded(interval: Interval) -> tuple[float, tuple[float, float] | None]:
    """Mean and bounds, as they are published."""
    mean = round(interval.mean, DIGITS)
    if interval.bounds is None:
        return mean, None
    low, high = interval.bounds
    return mean, (round(low, DIGITS), round(high, DIGITS))
