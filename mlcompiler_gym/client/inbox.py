# SPDX-License-Identifier: Apache-2.0
"""What a stream's thread has brought for one session."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue between two threads, with a descriptor to wait on.

    What brings things has hold of this and not of the session, so that the session
    ends with the last reference to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: object = None
        self._events: deque[T] = deque()
        #: Readable exactly while there is something to take.
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._signal, select.POLLIN)

    def fileno(self) -> int:
        """Readable while there is something to take; -1 once closed."""
        return self._signal

    def listen_to(self, source: object) -> None:
        """Take from nobody else from now on; what others have put is dropped."""
        with self._lock:
            self._source = source
            if self._events:
                self._events.clear()
                os.eventfd_read(self._signal)

    def put(self, source: object, event: T) -> None:
        """Add an event, unless it is another's who is listened to."""
        with self._lock:
            if source is not self._source or self._signal < 0:
                return
            self._events.append(event)
            if len(self._events) == 1:
                os.eventfd_write(self._signal, 1)

    def wait(self, seconds: float | None) -> bool:
        """Wait until there is something to take; False if there is not in time."""
        # Asking the kernel first would let other threads run before this one.
        if self._events:
            return True
        return bool(self._poll.poll(None if seconds is None else seconds * 1000))

    def take(self) -> T:
        """The oldest event; there must be one."""
        with self._lock:
            event = self._events.popleft()
            if not self._events:
                os.eventfd_read(self._signal)
        return event

    def close(self) -> bool:
        """Take nothing more; False if it was closed already."""
        with self._lock:
            signal, self._signal = self._signal, -1
            self._events.clear()
        if signal < 0:
            return False
        os.close(signal)
        return True

    def abandon_in_child(self) -> None:
        """After a fork: another thread may have held the lock, and is not here."""
        self._lock = threading.Lock()
