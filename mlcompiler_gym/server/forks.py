# SPDX-License-Identifier: Apache-2.0
"""Copies of sessions that wait for the stream on which they go on."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from dataclasses import dataclass

from mlcompiler_gym.server.limits import Account

#: Seconds that a copy waits.
PATIENCE = 60.0


@dataclass(frozen=True)
class Copy:
    """A session that its client has not attached to yet."""

    socket: socket.socket
    pid: int
    account: Account
    until: float


class Copies:
    """By tokens that nobody can guess."""

    def __init__(self) -> None:
        self._copies: dict[bytes, Copy] = {}
        self._lock = threading.Lock()

    def put(self, sock: socket.socket, pid: int, account: Account) -> bytes:
        """Keep a copy, which counts as a session of the account's; its token."""
        token = secrets.token_bytes(32)
        copy = Copy(sock, pid, account, time.monotonic() + PATIENCE)
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
        """End those that have waited too long."""
        now = time.monotonic() if now is None else now
        with self._lock:
            late = [t for t, copy in self._copies.items() if copy.until <= now]
            copies = [self._copies.pop(token) for token in late]
        for copy in copies:
            copy.socket.close()
            copy.account.leave()

    def pids(self) -> set[int]:
        """Processes of those that wait."""
        with self._lock:
            return {copy.pid for copy in self._copies.values()}

    def close(self) -> None:
        """End all."""
        self.expire(now=float("inf"))
