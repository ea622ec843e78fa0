# SPDX-License-Identifier: Apache-2.0
"""Policies to compare with: ``policy(observation, info)`` is an action."""

from mlcompiler_gym.policies.baselines import (
    Policy,
    evict_nothing,
    heuristic,
    random_legal,
)
from mlcompiler_gym.policies.play import Played, play
from mlcompiler_gym.policies.search import SearchResult, greedy_search, random_search

__all__ = [
    "Played",
    "Policy",
    "SearchResult",
    "evict_nothing",
    "greedy_search",
    "heuristic",
    "play",
    "random_legal",
    "random_search",
]
