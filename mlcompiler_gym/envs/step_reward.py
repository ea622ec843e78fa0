# SPDX-License-Identifier: Apache-2.0
"""What a step pays in tasks that have no end of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StepReward:
    """A reward for what a step has gained, as a weighted sum over objectives.

    Attributes:
        weights: Weight of each objective.
        scale: What a gain is measured by. ``"baseline"``: what the heuristic
            compiler gains over the unoptimised program, ``max(b0 - b, 1)``, so
            that steps which get as far as it does sum up to the weight.
            ``"initial"``: the unoptimised program's own value ``b0``.
        clip: Bound of each term's absolute value before it is weighted.
    """

    weights: Mapping[str, float]
    scale: Literal["baseline", "initial"] = "baseline"
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.scale not in ("baseline", "initial"):
            raise ValueError(f"scale is 'baseline' or 'initial', not {self.scale!r}")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"clip must be positive or None, not {self.clip!r}")

    def __call__(
        self,
        before: Mapping[str, float],
        after: Mapping[str, float],
        initial: Mapping[str, float],
        baseline: Mapping[str, float] | None,
    ) -> float:
        """The reward of one step.

        Args:
            before: Values by objective before the step.
            after: Values after it.
            initial: The unoptimised program's.
            baseline: The heuristic compiler's; not needed for ``"initial"``.
        """
        reward = 0.0
        for name, weight in self.weights.items():
            if self.scale == "initial" or baseline is None:
                unit = initial[name] or 1.0
            else:
                unit = max(initial[name] - baseline[name], 1.0)
            term = (before[name] - after[name]) / unit
            if self.clip is not None:
                term = min(max(term, -self.clip), self.clip)
            reward += weight * term
        return reward


#: POSET-RL (Jain et al., ISPASS 2022): 10 for size and 5 for throughput, each term
#: relative to the unoptimised program and clipped to 0.2. Cycles take the place of
#: the paper's throughput, so that its sign is turned: fewer are better.
POSET_RL = StepReward({"text_size": 10.0, "mca_cycles": 5.0}, "initial", clip=0.2)
