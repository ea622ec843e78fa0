# SPDX-License-Identifier: Apache-2.0
"""Learning policies from compiles."""

from mlcompiler_gym.training.algorithms import ALGORITHMS, Algorithm, find_algorithm
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.clone import CloneSettings
from mlcompiler_gym.training.coordinates import CoordinatesSettings
from mlcompiler_gym.training.counterfactual import CounterfactualSettings, Forest
from mlcompiler_gym.training.curve import Point, read_curve
from mlcompiler_gym.training.evolve import ESSettings
from mlcompiler_gym.training.labelling import Labelling, collect, few_of_each
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.playing import Played
from mlcompiler_gym.training.portfolio import PortfolioSettings, train_portfolio
from mlcompiler_gym.training.reinforce import DQNSettings, PPOSettings
from mlcompiler_gym.training.rules import Rules, RulesSettings
from mlcompiler_gym.training.settings import load_settings
from mlcompiler_gym.training.train import train_counterfactual

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Assignment",
    "CloneSettings",
    "CoordinatesSettings",
    "CounterfactualSettings",
    "DQNSettings",
    "ESSettings",
    "Forest",
    "Labelling",
    "Labels",
    "PPOSettings",
    "Played",
    "Point",
    "PortfolioSettings",
    "Rules",
    "RulesSettings",
    "Trained",
    "collect",
    "few_of_each",
    "find_algorithm",
    "load_settings",
    "read_curve",
    "train_counterfactual",
    "train_portfolio",
]
