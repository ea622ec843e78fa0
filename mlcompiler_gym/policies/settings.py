# SPDX-License-Identifier: Apache-2.0
"""What an environment has to be made with for a policy."""

from __future__ import annotations

from typing import Any

import gymnasium

from mlcompiler_gym.policies.baselines import (
    compiler_of,
    heuristic_settings,
    missing_settings,
)
from mlcompiler_gym.policies.policy import PortablePolicy


def settings_for(
    env: gymnasium.Env[Any, Any], policy: str | PortablePolicy
) -> dict[str, Any]:
    """What an environment has to be made with, besides, for a policy.

    Args:
        env: Any of the environments.
        policy: One that is data, or the name of one. Other names need nothing.

    Raises:
        ValueError: The task has no such policy.
    """
    setup = compiler_of(env).setup
    options, name = [], policy
    if isinstance(policy, PortablePolicy):
        options, name = list(policy.message.options), policy.builtin
    if name == "llvm":
        return heuristic_settings(env) | missing_settings(setup, options)
    for rule in setup.spec.rules:
        if rule.name == name:
            options.extend(rule.options)
    return missing_settings(setup, options)
