# SPDX-License-Identifier: Apache-2.0
"""Policies to compare with: ``policy(observation, info)`` is an action."""

from mlcompiler_gym.policies.baselines import (
    Policy,
    evict_nothing,
    heuristic,
    random_legal,
)
from mlcompiler_gym.policies.loops import always_distribute, never_distribute
from mlcompiler_gym.policies.play import Played, play
from mlcompiler_gym.policies.search import Found, exhaustive_search

__all__ = [
    "Found",
    "Played",
    "Policy",
    "always_distribute",
    "evict_nothing",
    "exhaustive_search",
    "heuristic",
    "never_distribute",
    "play",
    "random_legal",
]
