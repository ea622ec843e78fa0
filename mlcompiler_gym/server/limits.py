# SPDX-License-Identifier: Apache-2.0
"""What one client may ask for, and what it has."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field

from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_MIB = 1 << 20
#: Bytes of an Open, and of a Describe: pipeline, names and options. The process that
#: all sessions are forked from describes, and makes a hundred times as much of them.
_OPEN = 1 << 20
_DESCRIBE = 1 << 18
_NO_LIMITS = pb.Limits()
#: Bytes that a client's requests may take beside a program.
_AHEAD = 16 * _MIB
#: Bytes of large replies that a client has yet to take.
_REPLIES = 64 * _MIB


@dataclass(frozen=True)
class Limits:
    """The account of each client: of a token, or without tokens of a host.

    Attributes:
        sessions: Sessions at once, with copies by ``Fork``, and the copies in which an
            ``Explore`` tries actions.
        streams: gRPC streams at once.
        upload_bytes: Size of a program, or of any other message.
        seconds: Wall-clock time of one request.
        memory_bytes: Memory of each session.
    """

    sessions: int = 1024
    streams: int = 96
    upload_bytes: int = 64 * _MIB
    seconds: float = 600.0
    memory_bytes: int = 8 << 30

    @functools.cached_property
    def deadline_ms(self) -> int:
        """The same as the protocol says it."""
        return max(1, round(self.seconds * 1000))

    @property
    def reply_bytes(self) -> int:
        """Bytes of a reply."""
        return _REPLIES

    def objection(self, request: pb.Request) -> str:
        """What the request asks too much of, in a sentence; "" if nothing."""
        # Almost all requests are steps. Reading an absent Open takes longer than asking
        # whether it is there.
        opens = request.HasField("open")
        limits = request.open.limits if opens else _NO_LIMITS
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
        for kind, most in (("open", _OPEN), ("describe", _DESCRIBE)):
            if not request.HasField(kind):
                continue
            if (size := getattr(request, kind).ByteSize()) > most:
                return (
                    f"{size} bytes of pipeline, names and options are more than the "
                    f"{most} that this server takes"
                )
        return ""

    def bound(self, limits: pb.Limits) -> None:
        """Set limits that are not given to what is allowed."""
        limits.deadline_ms = limits.deadline_ms or self.deadline_ms
        limits.memory_bytes = limits.memory_bytes or self.memory_bytes


class Tally:
    """How much there is of something of which there may only be so much."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.value = 0
        self._lock = threading.Lock()

    def take(self, amount: int = 1) -> bool:
        """Count more; False, and nothing is counted, if that is too much."""
        with self._lock:
            if self.value + amount > self.most:
                return False
            self.value += amount
            return True

    def take_some(self, amount: int) -> int:
        """Count more, as far as there may be more; how much that is."""
        with self._lock:
            taken = max(0, min(amount, self.most - self.value))
            self.value += taken
            return taken

    def give(self, amount: int = 1) -> None:
        """Count less."""
        with self._lock:
            self.value -= amount


class Share:
    """The part of a tally that one holder has, to be given back with it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._held = 0

    @property
    def most(self) -> int:
        """What all holders together may have."""
        return self._tally.most

    def take(self, amount: int) -> bool:
        """Count more; False if that is too much."""
        if not self._tally.take(amount):
            return False
        self._held += amount
        return True

    def give(self, amount: int) -> None:
        """Count less."""
        self._held -= amount
        self._tally.give(amount)

    def close(self) -> None:
        """Give back the rest."""
        self.give(self._held)


@dataclass
class Account:
    """All that one client has here. Every bound on a client is kept by this.

    Attributes:
        name: What tells it from all others.
        label: What logs call it.
        sessions: That it can use.
        ending: Its processes that it has let go of, and that have not ended yet.
        streams: gRPC streams.
        requests: Bytes of requests that have no reply, or are not complete.
        replies: Bytes of large replies that are on their way.
        turn: Held by the thread that does its work, so that a client with many
            streams is to others like one with one.
    """

    name: str
    label: str
    limits: Limits
    sessions: Tally = field(init=False)
    ending: Tally = field(init=False)
    streams: Tally = field(init=False)
    requests: Tally = field(init=False)
    replies: Tally = field(init=False)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.sessions = Tally(self.limits.sessions)
        self.ending = Tally(self.limits.sessions + self._most_ending)
        self.streams = Tally(self.limits.streams)
        self.requests = Tally(self.limits.upload_bytes + _AHEAD)
        self.replies = Tally(self.limits.reply_bytes)

    @property
    def _most_ending(self) -> int:
        return max(16, self.limits.sessions)

    def enter(self) -> bool:
        """Count one more session; False if that is too many.

        Those that are ending have a number of their own, so that a client at its limit
        may end a session and begin another at once, and not without bound.
        """
        return self.ending.value < self._most_ending and self.sessions.take()

    def leave(self, count: int = 1) -> None:
        """Count so many sessions less."""
        self.sessions.give(count)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.streams.value or self.sessions.value or self.ending.value)


class Accounts:
    """The accounts of clients that hold anything, by name."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, Account] = {}
        self._lock = threading.Lock()

    def open_stream(self, name: str, label: str) -> Account | None:
        """A client's account, with one more stream; None if that is too many."""
        with self._lock:
            for each in [a for a in self._accounts.values() if a.empty]:
                del self._accounts[each.name]
            account = self._accounts.get(name)
            if account is None:
                account = Account(name, label, self._limits)
                self._accounts[name] = account
            return account if account.streams.take() else None

    def sessions(self) -> int:
        """What all clients hold together; processes that still end count."""
        with self._lock:
            return sum(a.sessions.value + a.ending.value for a in self._all())

    def _all(self) -> list[Account]:
        return list(self._accounts.values())

    @property
    def clients(self) -> int:
        """How many there are."""
        with self._lock:
            return sum(not account.empty for account in self._all())
