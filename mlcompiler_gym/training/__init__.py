# SPDX-License-Identifier: Apache-2.0
"""Learning policies from what actions are worth."""

from mlcompiler_gym.training.counterfactual import CounterfactualSettings, Forest
from mlcompiler_gym.training.labelling import Labelling, collect, few_of_each
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.margin import Played
from mlcompiler_gym.training.train import Trained, load_settings, train_counterfactual

__all__ = [
    "CounterfactualSettings",
    "Forest",
    "Labelling",
    "Labels",
    "Played",
    "Trained",
    "collect",
    "few_of_each",
    "load_settings",
    "train_counterfactual",
]
