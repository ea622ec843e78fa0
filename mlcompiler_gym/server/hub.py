# SPDX-License-Identifier: Apache-2.0
"""What all streams of a server share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlcompiler_gym.client.local import LocalService
from mlcompiler_gym.server.endings import Endings
from mlcompiler_gym.server.forks import Copies
from mlcompiler_gym.server.limits import Accounts, Limits
from mlcompiler_gym.server.metrics import Metrics
from mlcompiler_gym.server.parking import Parking
from mlcompiler_gym.server.programs import ProgramFolder

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from mlcompiler_gym.server.relay import Relay


@dataclass
class Hub:
    """The compiler service behind the server, and the books that it keeps."""

    service: LocalService
    programs: ProgramFolder
    limits: Limits
    log: FilteringBoundLogger
    accounts: Accounts
    metrics: Metrics = field(default_factory=Metrics)
    parking: Parking = field(default_factory=Parking)
    relays: set[Relay] = field(default_factory=set)
    #: Processes of sessions that have, or had, a client.
    pids: set[int] = field(default_factory=set)
    endings: Endings = field(init=False)
    copies: Copies = field(init=False)
    #: No session may begin any more.
    draining: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.endings = Endings(self.pids)
        self.copies = Copies(self.endings)

    def add(self, relay: Relay) -> None:
        """A stream has begun."""
        with self._lock:
            self.relays.add(relay)

    def remove(self, relay: Relay) -> None:
        """A stream has ended."""
        with self._lock:
            self.relays.discard(relay)

    def drain(self) -> None:
        """Let no session begin, and end the streams that have none left."""
        self.draining = True
        for relay in self._all_relays():
            relay.wake()

    def look_around(self, seconds: float) -> None:
        """Let go of what has ended within some time, and end what is overdue."""
        self.endings.wait(seconds)
        self.copies.expire()
        for relay in self._all_relays():
            relay.end_overdue()

    def _all_relays(self) -> list[Relay]:
        with self._lock:
            return list(self.relays)

    def parked(self) -> int:
        """Processes that wait, at a first decision or with a module, for clients.

        They are descendants of the nursery's that no client has; one that is
        being opened counts, too.
        """
        if self.service.pid is None:
            return 0
        found = _children(self.service.pid)
        for child in found:  # grows while it is gone through
            found += _children(child)
        return len(set(found) - self.pids)


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []  # it has ended
