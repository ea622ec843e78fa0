# SPDX-License-Identifier: Apache-2.0
"""Session processes that have no client any more, until they are gone."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from mlcompiler_gym.server.limits import Account

#: Seconds that a process has to see that its socket is closed.
PATIENCE = 5.0


class _Ending(NamedTuple):
    pid: int
    account: Account
    #: How many processes end with it, itself included.
    processes: int
    until: float


class Endings:
    """Counts processes for their clients until they are gone, and sees to that.

    A process that was stopped, or that what broke out of LLVM has taken over, would not
    go by itself.
    """

    def __init__(self, pids: set[int]) -> None:
        """Processes that are gone leave ``pids``."""
        self._pids = pids
        #: By descriptor of the process, which no other process can have later.
        self._endings: dict[int, _Ending] = {}
        self._lock = threading.Lock()
        self._epoll = select.epoll()

    def add(
        self,
        sock: socket.socket,
        pid: int,
        account: Account,
        *,
        copies: int = 0,
        kill: bool = False,
    ) -> None:
        """End a session of the account's.

        Args:
            sock: Its client's end.
            pid: The session's process; 0: not known.
            account: Whose it is.
            copies: Copies of the session, which end with it.
            kill: At once, rather than when it sees that its client has gone.
        """
        descriptor = -1
        # The process has the other end of the socket, so the number is still its own.
        if pid and _peer_is_there(sock):
            with suppress(OSError):
                descriptor = os.pidfd_open(pid)
        sock.close()
        account.leave(1 + copies)
        if descriptor < 0:
            self._pids.discard(pid)
            return
        if kill:
            _kill(descriptor)
        with self._lock:
            account.ending.take(1 + copies)
            self._endings[descriptor] = _Ending(
                pid, account, 1 + copies, monotonic() + PATIENCE
            )
        self._epoll.register(descriptor, select.EPOLLIN)

    def wait(self, seconds: float) -> None:
        """Let go of processes that end within some time, and kill the others."""
        for descriptor, _ in self._epoll.poll(seconds):
            with self._lock:
                ending = self._endings.pop(descriptor, None)
            if ending is None:
                continue  # close() was faster
            self._pids.discard(ending.pid)
            ending.account.ending.give(ending.processes)
            os.close(descriptor)  # which takes it out of the epoll as well
        now = monotonic()
        with self._lock:
            late = [d for d, ending in self._endings.items() if ending.until < now]
        for descriptor in late:
            _kill(descriptor)

    def close(self) -> None:
        """Kill all."""
        with self._lock:
            for descriptor in self._endings:
                _kill(descriptor)
                os.close(descriptor)
            self._endings.clear()
        self._epoll.close()


def _peer_is_there(sock: socket.socket) -> bool:
    poll = select.poll()
    try:
        poll.register(sock, 0)
    except (OSError, ValueError):
        return False
    return not any(event & select.POLLHUP for _, event in poll.poll(0))


def _kill(descriptor: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
