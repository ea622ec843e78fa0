# SPDX-License-Identifier: Apache-2.0
"""Policies to compare with: ``policy(observation, info)`` is an action."""

from mlcompiler_gym.policies.baselines import (
    Policy,
    PolicyMaker,
    active,
    heuristic,
    heuristic_settings,
    inactive,
    last_use,
    random_legal,
)
from mlcompiler_gym.policies.best import Best, best
from mlcompiler_gym.policies.exhaustive import Found, exhaustive_search
from mlcompiler_gym.policies.local_search import local_search
from mlcompiler_gym.policies.named import NAMED
from mlcompiler_gym.policies.play import Played, play
from mlcompiler_gym.policies.plugin import plugin_path
from mlcompiler_gym.policies.policy import PortablePolicy, SampledPolicy
from mlcompiler_gym.policies.references import reference
from mlcompiler_gym.policies.search import SearchResult, greedy_search, random_search
from mlcompiler_gym.policies.settings import complete_settings, settings_for

__all__ = [
    "NAMED",
    "Best",
    "Found",
    "Played",
    "Policy",
    "PolicyMaker",
    "PortablePolicy",
    "SampledPolicy",
    "SearchResult",
    "active",
    "best",
    "complete_settings",
    "exhaustive_search",
    "greedy_search",
    "heuristic",
    "heuristic_settings",
    "inactive",
    "last_use",
    "local_search",
    "play",
    "plugin_path",
    "random_legal",
    "random_search",
    "reference",
    "settings_for",
]
