# SPDX-License-Identifier: Apache-2.0
"""The algorithms by name, each with its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.suggest import did_you_mean
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.clone import CloneSettings, train_clone
from mlcompiler_gym.training.coordinates import CoordinatesSettings, train_coordinates
from mlcompiler_gym.training.counterfactual import CounterfactualSettings
from mlcompiler_gym.training.evolve import ESSettings, train_es
from mlcompiler_gym.training.portfolio import PortfolioSettings, train_portfolio
from mlcompiler_gym.training.reinforce import (
    DQNSettings,
    PPOSettings,
    train_dqn,
    train_ppo,
)
from mlcompiler_gym.training.rules import RulesSettings
from mlcompiler_gym.training.train import train_counterfactual, train_rules


@dataclass(frozen=True)
class Algorithm:
    """A way to come from an assignment to a policy.

    Attributes:
        settings: A dataclass; its fields are what can be set.
        train: Makes a policy of an assignment and such settings.
    """

    settings: type[Any]
    train: Callable[[Assignment, Any], Trained]


ALGORITHMS = {
    "counterfactual": Algorithm(CounterfactualSettings, train_counterfactual),
    "rules": Algorithm(RulesSettings, train_rules),
    "clone": Algorithm(CloneSettings, train_clone),
    "ppo": Algorithm(PPOSettings, train_ppo),
    "dqn": Algorithm(DQNSettings, train_dqn),
    "es": Algorithm(ESSettings, train_es),
    "coordinates": Algorithm(CoordinatesSettings, train_coordinates),
    "portfolio": Algorithm(PortfolioSettings, train_portfolio),
}


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises:
        TrainingError: There is none.
    """
    if name not in ALGORITHMS:
        raise TrainingError(
            f"there is no algorithm {name!r}; {did_you_mean(name, ALGORITHMS)}"
            f"there are {', '.join(ALGORITHMS)}"
        )
    return ALGORITHMS[name]
