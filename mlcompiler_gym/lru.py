# SPDX-License-Identifier: Apache-2.0
"""What has been found out and may be needed again, as far as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class Lru(Generic[ValueT]):
    """The latest values by key; the least recently used give way.

    Safe to use from several threads at once.

    Args:
        entries: How many values it holds.
        size: How much the values may weigh together.
        weigh: What a value weighs, in bytes. ``None``: nothing.
    """

    def __init__(
        self,
        entries: int,
        size: int = 0,
        weigh: Callable[[ValueT], int] | None = None,
    ) -> None:
        self._entries = entries
        self._size = size
        self._weigh = weigh or (lambda value: 0)
        self._weight = 0
        self._held: OrderedDict[Hashable, ValueT] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable) -> ValueT | None:
        """The value of that key, if it is held."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, value: ValueT) -> None:
        """Hold a value for as long as there is room."""
        with self._lock:
            self._drop(key)
            self._held[key] = value
            self._weight += self._weigh(value)
            while len(self._held) > self._entries or self._weight > self._size:
                self._drop(next(iter(self._held)))

    def clear(self) -> None:
        """Hold nothing."""
        with self._lock:
            self._held.clear()
            self._weight = 0

    def _drop(self, key: Hashable) -> None:
        old = self._held.pop(key, None)
        if old is not None:
            self._weight -= self._weigh(old)
