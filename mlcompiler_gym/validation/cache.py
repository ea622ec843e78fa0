# SPDX-License-Identifier: Apache-2.0
"""What unoptimised programs did, so that each runs once for many validations."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from mlcompiler_gym.validation.result import Problem
from mlcompiler_gym.validation.sandbox import Run


@dataclass(frozen=True)
class Reference:
    """Two runs of unoptimised code on one input.

    Attributes:
        first: The run to compare with.
        second: Once more; the same object if the first is of no use.
    """

    first: Run
    second: Run

    @property
    def problem(self) -> Problem | None:
        """Why optimised code cannot be compared with it."""
        for run in (self.first, self.second):
            if run.status is None:
                return "invalid reference"
        return "not deterministic" if self.first != self.second else None

    @property
    def size(self) -> int:
        """Bytes of output held."""
        return len(self.first.output) + len(self.second.output)


class ReferenceCache:
    """The latest references; the least recently used give way.

    Safe to use from several threads at once.

    Args:
        entries: How many it holds.
        size: How many bytes of output it holds.
    """

    def __init__(self, entries: int = 1024, size: int = 64 << 20) -> None:
        self._entries = entries
        self._size = size
        self._held = 0
        self._references: OrderedDict[Hashable, Reference] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._references)

    def get(self, key: Hashable) -> Reference | None:
        """The reference of that key, if it is held."""
        with self._lock:
            found = self._references.get(key)
            if found is not None:
                self._references.move_to_end(key)
            return found

    def put(self, key: Hashable, reference: Reference) -> None:
        """Hold a reference, for as long as there is room."""
        with self._lock:
            self._held += reference.size
            old = self._references.pop(key, None)
            if old is not None:
                self._held -= old.size
            self._references[key] = reference
            while len(self._references) > self._entries or self._held > self._size:
                _, gone = self._references.popitem(last=False)
                self._held -= gone.size
