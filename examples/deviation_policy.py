# SPDX-License-Identifier: Apache-2.0
"""A policy for RegAllocEviction: LLVM's heuristic, unless another column promises more.

For environments made with `eviction_default=True` and `interference_weights=True`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from column_policy import COLUMNS, DEFAULT, PER_COLUMN, PROGRESS, WEIGHTS
from numpy.typing import NDArray
from rollouts import Rollouts, alternatives
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

Array = NDArray[Any]

#: Gains beyond this, either way, teach no more than this.
CLIP = 0.05


def describe(observations: Array, actions: Array) -> Array:
    """What is known of taking each action where the heuristic takes another.

    Args:
        observations: ``(n, 926)``.
        actions: ``(n,)``.

    Returns:
        float32 ``(n, 87)``: the column, the heuristic's and "evict nothing", by
        themselves and compared; and how crowded the decision is.
    """
    seen = np.nan_to_num(observations, nan=1.0)
    row = np.arange(len(seen))
    default = seen[:, DEFAULT].astype(int)
    last = np.full(len(seen), COLUMNS - 1)
    features = seen[:, :PROGRESS].reshape(-1, PER_COLUMN, COLUMNS)
    legal, is_free = features[:, 0] > 0, features[:, 1]
    # What cannot be spilled weighs more than there are numbers for.
    weights = seen[:, -COLUMNS * WEIGHTS :].reshape(-1, COLUMNS, WEIGHTS).clip(max=1e6)
    total = np.log(weights.sum(2) + 1e-4)
    parts = [features[row, :, column] for column in (actions, default, last)]
    for each in (total, np.log(weights[:, :, 0] + 1e-4), (weights > 0).sum(2)):
        own, usual, none = (each[row, column] for column in (actions, default, last))
        parts.append(
            np.stack([own, usual, none, own - usual, own - none, usual - none], 1)
        )
    evicting = np.where(legal, total, np.inf)[:, :-1]
    crowd = [
        evicting.min(1),
        (evicting < total[row, actions][:, None]).sum(1),
        seen[:, PROGRESS],
        legal.sum(1),
        actions,
        default,
        actions == last,
        default == last,
        (is_free * legal).sum(1),
    ]
    return np.concatenate([*parts, np.stack(crowd, 1)], 1).astype(np.float32)


@dataclass
class DeviationPolicy:
    """Chooses the column of the largest predicted gain, if that exceeds a threshold.

    Attributes:
        models: Their mean prediction counts.
        threshold: The gain, relative to the function's score, above which it leaves
            the heuristic. Infinite: always do as the heuristic does.
    """

    models: Sequence[HistGradientBoostingRegressor]
    threshold: float = 0.0

    @classmethod
    def fit(
        cls, programs: Sequence[Rollouts], seed: int, models: int
    ) -> "DeviationPolicy":
        """Learn from the rollouts of some programs, a resample of them each time."""
        rng = np.random.default_rng(seed)
        inputs = [describe(each.observations, each.actions) for each in programs]
        gains = [each.gains.clip(-CLIP, CLIP) for each in programs]
        fitted = []
        for _ in range(models):
            drawn = rng.integers(len(programs), size=len(programs))
            model = HistGradientBoostingRegressor(
                max_iter=250,
                learning_rate=0.05,
                max_features=0.3,
                max_leaf_nodes=15,
                min_samples_leaf=60,
                l2_regularization=5.0,
                random_state=seed,
            )
            fitted.append(
                model.fit(
                    np.concatenate([inputs[i] for i in drawn]),
                    np.concatenate([gains[i] for i in drawn]),
                )
            )
        return cls(fitted)

    def predict(self, observations: Array, actions: Array) -> Array:
        """Predicted gains, ``(n,)``."""
        inputs = describe(observations, actions)
        # So few rows are sooner done by one thread.
        with threadpool_limits(1):
            found: Array = np.mean([model.predict(inputs) for model in self.models], 0)
        return found

    def __call__(self, observations: Array, masks: Array) -> Array:
        """Actions ``(n,)`` for observations ``(n, 926)``; the mask is in them."""
        chosen = observations[:, DEFAULT].astype(np.int64)
        if np.isinf(self.threshold):
            return chosen
        options = [alternatives(each) for each in observations]
        rows = np.repeat(np.arange(len(options)), [len(each) for each in options])
        if not len(rows):
            return chosen
        actions = np.concatenate([np.array(each, int) for each in options])
        gains = self.predict(observations[rows], actions)
        # In ascending order, so that the largest of a row is written last.
        order = np.argsort(gains, kind="stable")
        order = order[gains[order] > self.threshold]
        chosen[rows[order]] = actions[order]
        return chosen
