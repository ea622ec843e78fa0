# SPDX-License-Identifier: Apache-2.0
"""What one client may ask for, and what it has."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from mlcompiler_gym.v1 import compiler_service_pb2 as pb


@dataclass(frozen=True)
class Limits:
    """Of each client: a token, or without tokens a host.

    Attributes:
        sessions: Open at once, those that a ``Fork`` has made included.
        upload_bytes: Of a program, and of any other message.
        seconds: Of wall-clock time for one request.
        memory_bytes: Of each session.
    """

    sessions: int = 1024
    upload_bytes: int = 64 << 20
    seconds: float = 600.0
    memory_bytes: int = 8 << 30

    @property
    def deadline_ms(self) -> int:
        """The same as the protocol says it."""
        return max(1, round(self.seconds * 1000))

    def objection(self, request: pb.Request) -> str:
        """What the request asks too much of, in a sentence; "" if nothing."""
        limits = request.open.limits
        deadline = max(request.deadline_ms, limits.deadline_ms)
        if deadline > self.deadline_ms:
            return (
                f"a deadline of {deadline} ms is more than the {self.deadline_ms} ms "
                "that this server allows a request"
            )
        if limits.memory_bytes > self.memory_bytes:
            return (
                f"a memory limit of {limits.memory_bytes} bytes is more than the "
                f"{self.memory_bytes} that this server allows a session"
            )
        if len(request.upload.program) > self.upload_bytes:
            return (
                f"a program of {len(request.upload.program)} bytes is more than the "
                f"{self.upload_bytes} that this server takes"
            )
        return ""

    def bound(self, limits: pb.Limits) -> None:
        """Set those that are not limited to what is allowed."""
        limits.deadline_ms = limits.deadline_ms or self.deadline_ms
        limits.memory_bytes = limits.memory_bytes or self.memory_bytes


class Account:
    """The sessions that one client has."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._sessions = 0
        self._lock = threading.Lock()

    @property
    def sessions(self) -> int:
        """How many it has."""
        return self._sessions

    def enter(self) -> bool:
        """Count one more session; False if that is too many."""
        with self._lock:
            if self._sessions >= self.limits.sessions:
                return False
            self._sessions += 1
            return True

    def leave(self) -> None:
        """Count one session less."""
        with self._lock:
            self._sessions -= 1


class Accounts:
    """Of all clients, by name."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, Account] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Account:
        """That of a client, which may be new."""
        with self._lock:
            if name not in self._accounts:
                self._accounts[name] = Account(name, self._limits)
            return self._accounts[name]

    def sessions(self) -> int:
        """Of all clients together."""
        with self._lock:
            return sum(account.sessions for account in self._accounts.values())
