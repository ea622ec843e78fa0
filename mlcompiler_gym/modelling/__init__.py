# SPDX-License-Identifier: Apache-2.0
"""Performance models: builds that were measured, and what is learned from them."""

from mlcompiler_gym.modelling.agreement import (
    JUDGED,
    SIZES,
    Agreement,
    agreement,
    counts_by_size,
)
from mlcompiler_gym.modelling.builds import Builds, Pairs
from mlcompiler_gym.modelling.collecting import (
    LEVELS,
    RECIPES,
    Collecting,
    Recipe,
    collect,
)
from mlcompiler_gym.modelling.learned import CostModel, fit, out_of_fold

__all__ = [
    "JUDGED",
    "LEVELS",
    "RECIPES",
    "SIZES",
    "Agreement",
    "Builds",
    "Collecting",
    "CostModel",
    "Pairs",
    "Recipe",
    "agreement",
    "collect",
    "counts_by_size",
    "fit",
    "out_of_fold",
]
