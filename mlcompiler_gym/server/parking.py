# SPDX-License-Identifier: Apache-2.0
"""For which clients the compiler service keeps processes parked."""

from __future__ import annotations

import threading

#: The most sessions that the service keeps parked (``--parked-sessions``).
PARKED = 64


class Parking:
    """Follows what is parked, used least recently first, and gives each its part.

    A process is parked for the client whose Open was the first of its kind.
    """

    def __init__(self) -> None:
        self._parked: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def park(self, key: bytes, client: str, most: int, clients: int) -> bool:
        """Whether a session may be parked.

        Args:
            key: What is opened.
            client: By whom.
            most: Processes that the client may have.
            clients: How many of them the places are for.
        """
        with self._lock:
            owner = self._parked.pop(key, None)
            if owner is None:
                mine = sum(each == client for each in self._parked.values())
                if mine >= min(most, PARKED // max(clients, 1)):
                    return False
            self._parked[key] = owner or client
            if len(self._parked) > PARKED:
                del self._parked[next(iter(self._parked))]
            return True
