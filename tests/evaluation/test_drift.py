# SPDX-License-Identifier: Apache-2.0
"""How far features have drifted, against the definitions."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from support.policies import two_features

from mlcompiler_gym import EvaluationError, PortablePolicy
from mlcompiler_gym.evaluation.drift import Drift, counts_of, drift


def drifts(trained: np.ndarray, now: np.ndarray) -> list[Drift]:
    """The three elements of ``two_features`` are kept, in their order."""
    seen = PortablePolicy(two_features()).with_seen(trained).seen
    counts = [each.count(column) for each, column in zip(seen, now.T, strict=True)]
    found = drift(seen, counts)
    assert [-each.stability for each in found] == sorted(-f.stability for f in found)
    return sorted(found, key=lambda each: (each.feature, each.element))


def rows(rng: np.random.Generator, count: int, scale: float = 1.0) -> np.ndarray:
    return rng.normal(scale=scale, size=(count, 3)).astype(np.float32)


def test_the_same_has_not_drifted() -> None:
    same = rows(np.random.default_rng(0), 300)
    for each in drifts(same, same):
        assert each.stability == pytest.approx(0, abs=1e-12)
        assert each.distance == 0
        assert not each.beyond(0.0)


def test_chance_is_told_from_drift() -> None:
    """However few decisions there are."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        for count in (3, 30, 300):
            alike = drifts(rows(rng, 200), rows(rng, count))
            assert not any(each.beyond(0.0) for each in alike)
        wider = drifts(rows(rng, 200), rows(rng, 300, scale=3))
        assert all(each.beyond(0.25) for each in wider)


def test_numbers_are_those_of_the_definitions() -> None:
    rng = np.random.default_rng(1)
    # Few values: each is a bin, and nothing is lost.
    trained = rng.integers(0, 6, (400, 3)).astype(np.float32)
    now = np.minimum(rng.integers(0, 9, (150, 3)), 5).astype(np.float32)
    for each, before, after in zip(drifts(trained, now), trained.T, now.T, strict=True):
        p, q = (
            (np.bincount(x.astype(int), minlength=6) + 0.5) / (len(x) + 3)
            for x in (before, after)
        )
        assert each.stability == pytest.approx(((q - p) * np.log(q / p)).sum())
        assert each.distance == pytest.approx(ks_2samp(before, after).statistic)


def test_what_was_never_seen_is_drift() -> None:
    constant = np.ones((100, 3), np.float32)
    for value in (0, 2, np.nan):
        found = drifts(constant, np.full((100, 3), value, np.float32))
        assert all(each.beyond(1.0) and each.distance == 1 for each in found)


def test_without_decisions_nothing_is_compared() -> None:
    with pytest.raises(EvaluationError, match="no decision"):
        counts_of([{"seen": None}])
    with pytest.raises(EvaluationError, match="no decision"):
        counts_of([{"seen": [[0, 0]]}])
    assert counts_of([{"seen": [[1, 2]]}, {"seen": [[3, 4]]}])[0].tolist() == [4, 6]
