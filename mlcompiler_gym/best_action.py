# SPDX-License-Identifier: Apache-2.0
"""How many actions the policy ``best`` tries, wherever it decides."""

from __future__ import annotations

#: What the policy is called wherever policies are named.
BEST = "best"

#: IR instructions that are compiled to find an action. The program's instructions
#: count once for each action that is tried. Most programs take less than a second.
WORK = 30_000
#: The number of actions that are tried even if the program is larger than that.
_AT_LEAST = 2


def affordable(instructions: float, work: int = WORK) -> int:
    """How many actions there is work for.

    This does not depend on the machine, so that the same program always gets the same
    action.

    Args:
        instructions: IR instructions of the program.
        work: IR instructions to compile at most, if that is two actions or more.
    """
    return max(_AT_LEAST, int(work // max(instructions, 1.0)))
