# SPDX-License-Identifier: Apache-2.0
"""Copies of sessions that wait for the stream on which they go on."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from dataclasses import dataclass

from mlcompiler_gym.server.endings import Endings
from mlcompiler_gym.server.limits import Account

#: Seconds that a copy waits.
PATIENCE = 60.0


@dataclass(frozen=True)
class Copy:
    """A session that its client has not attached to yet."""

    socket: socket.socket
    pid: int
    account: Account
    #: The deadline of requests that set none.
    deadline_ms: int
    until: float


class Copies:
    """By tokens that cannot be guessed."""

    def __init__(self, endings: Endings) -> None:
        self._endings = endings
        self._copies: dict[bytes, Copy] = {}
        self._lock = threading.Lock()

    def put(
        self, sock: socket.socket, pid: int, account: Account, deadline_ms: int
    ) -> bytes:
        """Keep a copy, which counts as a session of the account's; its token."""
        token = secrets.token_bytes(32)
        copy = Copy(sock, pid, account, deadline_ms, time.monotonic() + PATIENCE)
        with self._lock:
            self._copies[token] = copy
        self.expire()
        return token

    def take(self, token: bytes, account: Account) -> Copy | None:
        """The copy, if it is there and this client's."""
        self.expire()
        with self._lock:
            copy = self._copies.get(token)
            if copy is None or copy.account is not account:
                return None
            return self._copies.pop(token)

    def expire(self, now: float | None = None) -> None:
        """End copies that have waited too long."""
        now = time.monotonic() if now is None else now
        with self._lock:
            late = [t for t, copy in self._copies.items() if copy.until <= now]
            copies = [self._copies.pop(token) for token in late]
        for copy in copies:
            self._endings.add(copy.socket, copy.pid, copy.account)

    def close(self) -> None:
        """End all."""
        self.expire(now=float("inf"))
