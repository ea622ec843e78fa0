# SPDX-License-Identifier: Apache-2.0
"""What a policy's inputs were in training, which its card keeps.

Used on other programs, their inputs can be compared with these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Bins of an element, without the bins below and above all values that were seen.
_BINS = 10


@dataclass(frozen=True)
class Histogram:
    """How often an element of an input lay where.

    Attributes:
        feature: The input's.
        element: Which one of its elements, from 0.
        ends: Shape (n,), float32, rising: a bin has what is above the end before it
            and not above its own.
        counts: Shape (n + 1,), int64: decisions in each bin, the last of which has
            what is above the last end.
    """

    feature: str
    element: int
    ends: NDArray[np.float32]
    counts: NDArray[np.int64]

    def count(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """How many other values lie in each bin.

        Args:
            values: Shape (decisions,).
        """
        places = np.searchsorted(self.ends, _finite(values))
        return np.bincount(places, minlength=len(self.counts))


def summarise(
    rows: NDArray[np.float32], inputs: Sequence[pb.Input]
) -> list[pb.Distribution]:
    """The distribution of each element of each input.

    Args:
        rows: Shape (decisions, elements), before all transforms, as
            ``Rollout.features`` has them.
        inputs: Inputs of the policy, in the order of the elements.

    Raises:
        ValueError: There are no decisions, or the elements are not the policy's.
    """
    rows = np.asarray(rows, np.float32)
    places = list(_elements(inputs))
    if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != len(places):
        raise ValueError(
            f"seen must have the shape (decisions, {len(places)}), not {rows.shape}"
        )
    found = []
    for (feature, element), column in zip(places, rows.T, strict=True):
        values = _finite(column)
        ends = _ends(values)
        histogram = Histogram(feature, element, ends, np.zeros(len(ends) + 1, np.int64))
        found.append(
            pb.Distribution(
                feature=feature,
                element=element,
                ends=ends.tolist(),
                counts=histogram.count(values).tolist(),
            )
        )
    return found


def read_seen(policy: pb.Policy) -> list[Histogram]:
    """What a policy's card says of its inputs, in their order; [] if it says nothing.

    Raises:
        PolicyError: It is not of this policy's inputs, or no distribution.
    """
    seen = policy.card.seen
    if not seen:
        return []
    histograms = [
        Histogram(
            each.feature,
            each.element,
            np.array(each.ends, np.float32),
            np.array(each.counts, np.uint64).astype(np.int64),
        )
        for each in seen
    ]
    wanted = list(_elements(policy.model.inputs))
    if [(each.feature, each.element) for each in histograms] != wanted:
        raise PolicyError(
            "the card's distributions are not of the policy's inputs; make them again "
            "with PortablePolicy.with_seen"
        )
    for each in histograms:
        whole = len(each.counts) == len(each.ends) + 1 and (each.counts >= 0).all()
        rising = np.isfinite(each.ends).all() and (np.diff(each.ends) > 0).all()
        if not (whole and rising and each.counts.sum() > 0):
            raise PolicyError(
                f"the card's distribution of {each.feature}, element {each.element}, "
                "is none: its bins do not rise, or have no counts"
            )
    return histograms


def _elements(inputs: Iterable[pb.Input]) -> Iterator[tuple[str, int]]:
    return (
        (each.feature, element) for each in inputs for element in range(each.elements)
    )


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As the evaluator takes them: nan as 0, infinities as the largest number."""
    return np.nan_to_num(np.asarray(values, np.float32))


def _ends(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A bin for each value, or where there are many, as many values in each bin."""
    distinct = np.unique(values)
    if len(distinct) > _BINS:
        parts = np.arange(1, _BINS + 1) / _BINS
        distinct = np.unique(np.quantile(values, parts, method="inverted_cdf"))
    # There is also a bin for values below all of these.
    with np.errstate(over="ignore"):
        below = np.nextafter(values.min(), np.float32(-np.inf))
    ends = np.array([below, *distinct], np.float32)
    return ends[np.isfinite(ends)]
