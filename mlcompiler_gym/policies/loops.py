# SPDX-License-Identifier: Apache-2.0
"""What to compare a policy of loop distribution with, of one agent or two."""

from __future__ import annotations

from typing import Any

import numpy as np


def _first(info: dict[str, Any], distribute: int) -> int:
    """The first node that this may be done with, or else the first legal action."""
    legal = np.flatnonzero(info["action_mask"])
    return int(next((a for a in legal if a % 2 == distribute), legal[0]))


def never_distribute(observation: Any, info: dict[str, Any]) -> int:
    """Merges always, and so gives the object file of the pipeline by itself."""
    return _first(info, 0)


def always_distribute(observation: Any, info: dict[str, Any]) -> int:
    """Begins a new loop wherever that is legal (maximal distribution)."""
    return _first(info, 1)
