# SPDX-License-Identifier: Apache-2.0
"""Policies to compare with: ``policy(observation, info)`` is an action."""

from mlcompiler_gym.policies.baselines import (
    Policy,
    evict_nothing,
    heuristic,
    random_legal,
)
from mlcompiler_gym.policies.play import Played, play

__all__ = ["Played", "Policy", "evict_nothing", "heuristic", "play", "random_legal"]
