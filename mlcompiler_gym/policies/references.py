# SPDX-License-Identifier: Apache-2.0
"""The policies that come with the package."""

from __future__ import annotations

from typing import Any

import gymnasium

from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.reference import read_reference


def reference(env: gymnasium.Env[Any, Any]) -> PortablePolicy:
    """The reference policy of an environment's task: ``"reference"`` by name.

    Its card says how it was made, and what it came to on packages that it was not
    learned from.

    Args:
        env: Any of the environments. To decide in it, it has to be made with what
            :func:`settings_for` says.

    Raises:
        PolicyError: The task has none.
    """
    return PortablePolicy.from_bytes(read_reference(compiler_of(env).setup.config.task))
