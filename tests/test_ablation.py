# SPDX-License-Identifier: Apache-2.0
"""What the bench ``ablation`` reads, and how it counts deviations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.ablation import evictions, fit, inlining, vectors
from mlcompiler_gym.training import counterfactual
from mlcompiler_gym.training.labels import Labels


@pytest.mark.parametrize("load", [inlining.load, evictions.load])
def test_the_stored_labels_are_whole(load: Callable[[], fit.Deviations]) -> None:
    given = load()
    count = len(given.labels)
    assert count > 3000
    assert given.labels.features.shape == (count, len(given.names))
    assert np.isfinite(given.labels.values).all()
    for name, shown in given.shown.items():
        assert shown <= set(given.names), name


def test_vectors_are_rounded(tmp_path: Path) -> None:
    path = tmp_path / "vectors.parquet"
    numbers = np.array([0, 0.3, -0.3, 5, -1000, 5000], np.float32)
    places: dict[str, list[Any]] = {"program": ["a", "b"], "decision": [3, 4]}
    vectors.write(path, places, {"v": [numbers, -numbers]})
    again = {"program": ["b", "a", "b"], "decision": [4, 3, 4]}
    names, stored = vectors.read(path, again)
    assert names == [f"v[{i}]" for i in range(6)]
    np.testing.assert_array_equal(stored[1], -stored[0])
    read = np.sinh(stored[1] / 12) / 10
    np.testing.assert_allclose(read[:5], numbers[:5], rtol=0.05, atol=0.005)
    assert 1900 < read[5] < 2000
    with pytest.raises(ValueError, match="lacks some of the labelled decisions"):
        vectors.read(path, {"program": ["a"], "decision": [4]})


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> fit.Deviations:
    """Each decision has a deviation that saves 3, another 1, and another loses 1."""
    saved = np.tile([1.0, 3.0, -1.0], 60)
    names = np.repeat([f"pypi/p{i}/u" for i in range(10)], 18)
    labels = Labels(
        names,
        np.arange(180) // 3,
        saved[:, None].astype(np.float32),
        np.stack([np.zeros(180), -saved], axis=1),
        np.ones(180, np.int64),
    )
    monkeypatch.setattr(fit, "SEEDS", range(1))
    own, choices = np.zeros(180, np.int64), np.arange(180) // 3
    return fit.Deviations(
        labels, own, choices, ["f"], {"all": {"f"}}, 2.0, 2.5, "bytes, at most 2.5"
    )


def test_the_best_of_a_decision_is_taken(given: fit.Deviations) -> None:
    row = fit.judge(given, {"f"})
    np.testing.assert_allclose(row.kept, 2.5)
    np.testing.assert_allclose(row.promised, 2.5)
    assert row.deviates.tolist() == row.pays.tolist() == [1.0] * 60
    assert row.correlation == pytest.approx(1)


def test_a_learning_curve_is_of_packages_that_are_drawn(
    given: fit.Deviations, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []

    def fit_forest(features: Any, savings: Any, settings: Any) -> Any:
        fitted.append(len(savings))
        return counterfactual.fit_forest(features, savings, settings)

    monkeypatch.setattr(fit, "fit_forest", fit_forest)
    monkeypatch.setattr(fit, "PACKAGES", (3, 8, 20))
    points = list(fit.curve_of(given))
    # Each of five folds has two of the ten packages, and a package has 18 deviations.
    assert fitted == [3 * 18] * 5 + [8 * 18] * 5
    assert [point.name for point in points] == ["3 packages", "8 packages"]
    whole = {"saved in 100 decisions, bytes": 250.0}
    assert points[-1].held_out == whole | {"low": 250.0, "high": 250.0}
    assert points[-1].training == whole
