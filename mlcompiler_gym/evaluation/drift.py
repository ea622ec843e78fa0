# SPDX-License-Identifier: Apache-2.0
"""Whether a policy is used on what it was trained for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, entropy

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.plan import Record
from mlcompiler_gym.seen import Histogram

#: The probability that chance alone makes some element look as if it had drifted.
_CHANCE = 0.001


@dataclass(frozen=True)
class Drift:
    """How far the values of an element lie from those in training.

    Attributes:
        feature: The input's.
        element: Which one of its elements.
        stability: Population stability index: the sum over bins of
            ``(q - p) * log(q / p)``, of the parts ``p`` in training and ``q`` now.
        chance: What that index may come to by chance with so few decisions.
        distance: Kolmogorov-Smirnov distance at the ends of the bins.
    """

    feature: str
    element: int
    stability: float
    chance: float
    distance: float

    def beyond(self, threshold: float) -> bool:
        """Whether it is more than a threshold, and more than chance."""
        return self.stability > max(threshold, self.chance)


def counts_of(records: Iterable[Record]) -> list[NDArray[np.int64]]:
    """The decisions of all programs in each bin, element by element.

    Args:
        records: Records of a :class:`~mlcompiler_gym.evaluation.deployment.Deployment`,
            or of a build's report.

    Raises:
        EvaluationError: There is no decision.
    """
    seen = [record["seen"] for record in records if record["seen"] is not None]
    counts = [
        np.array(element, np.int64).sum(axis=0) for element in zip(*seen, strict=True)
    ]
    if not counts or not counts[0].sum():
        raise EvaluationError(
            "there is no decision in these programs that could be compared; name others"
        )
    return counts


def read_report(path: Path, policy_file: bytes) -> list[Record]:
    """What a policy decided from in a build, for :func:`counts_of`.

    Args:
        path: A report of ``mlcg-clang``: a line of JSON for each unit.
        policy_file: Contents of the policy's file.

    Raises:
        EvaluationError: It cannot be read, or says nothing of this policy.
    """
    digest = hashlib.sha256(policy_file).hexdigest()
    found: list[Record] = []
    try:
        for line in path.read_bytes().splitlines():
            unit = json.loads(line)
            found += (
                {"seen": unit["seen"].get(name)}
                for name, sha256 in unit["policies"].items()
                if sha256 == digest
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"cannot read the report {path}: {error!r}") from error
    if not found:
        raise EvaluationError(
            f"{path} has no unit that this policy decided; it knows policies by the "
            "SHA-256 of their files"
        )
    return found


def drift(
    trained: Sequence[Histogram], seen: Sequence[NDArray[np.int64]]
) -> list[Drift]:
    """How far each element has drifted, the furthest first.

    Args:
        trained: What the policy's card says.
        seen: Counts in the same bins.
    """
    found = [
        _drift(histogram, counts, len(trained))
        for histogram, counts in zip(trained, seen, strict=True)
    ]
    return sorted(found, key=lambda each: -each.stability)


def _drift(trained: Histogram, counts: NDArray[np.int64], elements: int) -> Drift:
    used = (trained.counts + counts) > 0
    before, now = trained.counts[used], counts[used]
    # Half a decision is added to each bin, so that empty bins can also be compared.
    p = (before + 0.5) / (before + 0.5).sum()
    q = (now + 0.5) / (now + 0.5).sum()
    chance = 0.0
    if used.sum() > 1:
        # Without drift, the index times this is distributed as chi squared.
        scale = 1 / before.sum() + 1 / now.sum()
        chance = float(chi2.ppf(1 - _CHANCE / elements, used.sum() - 1) * scale)
    return Drift(
        trained.feature,
        trained.element,
        float(entropy(q, p) + entropy(p, q)),
        chance,
        float(
            np.abs(np.cumsum(before) / before.sum() - np.cumsum(now) / now.sum()).max()
        ),
    )
