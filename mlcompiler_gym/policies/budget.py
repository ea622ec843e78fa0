# SPDX-License-Identifier: Apache-2.0
"""What a search may spend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

ItemT = TypeVar("ItemT")


class Budget:
    """Compiles, and wall-clock time from now on.

    Args:
        compiles: How many; None: as many as there is time for.
        seconds: How long; None: as long as there are compiles.
        parallel: How many compiles run at the same time.

    Attributes:
        spent: How many compiles have been spent.

    Raises:
        ValueError: There would be no end.
    """

    def __init__(
        self, compiles: int | None, seconds: float | None, parallel: int = 1
    ) -> None:
        if seconds is None and compiles is None:
            raise ValueError("say for how many seconds, or compiles")
        self.spent = 0
        self._compiles = compiles
        self._parallel = parallel
        self._began = monotonic()
        self._until = None if seconds is None else self._began + seconds

    @property
    def seconds(self) -> float:
        """Time that has been spent."""
        return monotonic() - self._began

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return self._until is not None and monotonic() >= self._until

    @property
    def room(self) -> int:
        """How many compiles to begin at the same time; 0 if the budget is spent."""
        if self.late:
            return 0
        if self._compiles is None:
            return self._parallel
        return max(0, min(self._parallel, self._compiles - self.spent))

    def batches(self, items: Iterable[ItemT]) -> Iterator[list[ItemT]]:
        """Items by so many as are compiled at the same time, while there is room."""
        rest = list(items)
        while rest and (width := self.room):
            yield rest[:width]
            del rest[:width]
