# SPDX-License-Identifier: Apache-2.0
"""Policies by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium

from mlcompiler_gym.best_action import BEST
from mlcompiler_gym.policies.baselines import (
    Policy,
    PolicyMaker,
    active,
    heuristic,
    inactive,
    last_use,
    random_legal,
)
from mlcompiler_gym.policies.best import best


def _seedless(make: Callable[[gymnasium.Env[Any, Any]], Policy]) -> PolicyMaker:
    return lambda env, seed: make(env)


#: Policies by name. Sessions also know all of them except ``best``.
NAMED: dict[str, PolicyMaker] = {
    "always": _seedless(active),
    BEST: _seedless(best),
    "inactive": _seedless(inactive),
    "last_use": _seedless(last_use),
    "llvm": _seedless(heuristic),
    "random": random_legal,
}
