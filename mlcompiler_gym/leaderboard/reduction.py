# SPDX-License-Identifier: Apache-2.0
"""The part of a trajectory that makes the difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def reduce(
    chosen: Sequence[int], keeps: Callable[[Sequence[int]], bool], budget: int
) -> list[int]:
    """A part of a list that still has a property: Zeller and Hildebrandt's ddmin.

    Nothing can be left out of it any more, unless the budget of calls was spent.

    Args:
        chosen: The list; it has the property.
        keeps: Whether a part of it, in the same order, still has it.
        budget: How often that may be asked.
    """
    kept = list(chosen)
    size = max(len(kept) // 2, 1)
    while len(kept) > 1:
        for start in range(0, len(kept), size):
            fewer = kept[:start] + kept[start + size :]
            if budget == 0:
                return kept
            budget -= 1
            if fewer and keeps(fewer):
                kept = fewer
                size = min(size, max(len(kept) // 2, 1))
                break
        else:
            if size == 1:
                return kept
            size = max(size // 2, 1)
    return kept
