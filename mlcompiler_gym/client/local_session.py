# SPDX-License-Identifier: Apache-2.0
"""One session on this machine, over a Unix socket."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import weakref
from collections.abc import Callable
from typing import ClassVar

from typing_extensions import override

from mlcompiler_gym.client.session import Session, lost
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: What is before a message and says how many bytes it has.
_LENGTH = struct.Struct("<I")
_PREFIX = _LENGTH.size
#: Bytes that are asked for before the length of a reply is known.
_FIRST_SIZE = 4096
#: Bytes that are asked for at most before the length of a reply is known.
_MOST_AT_ONCE = 1 << 16
#: The most milliseconds that poll() takes.
_INT_MAX = 2**31 - 1


class LocalSession(Session):
    """A session process at the other end of a socket."""

    #: Sessions of this process, to be let go in a forked child.
    _live: ClassVar[weakref.WeakSet[LocalSession]] = weakref.WeakSet()

    def __init__(self, sock: socket.socket, opened: pb.OpenReply | None = None) -> None:
        self._socket = sock
        self._awaited = 0
        self._wanted = _FIRST_SIZE
        #: Bytes of the next reply that were received together with the last one.
        self._ahead = b""
        self._poll = _make_poll(sock)
        self._poll_ms: int | None = None
        self.opened = opened if opened is not None else pb.OpenReply()
        self._live.add(self)

    @override
    def set_deadline(self, milliseconds: int) -> None:
        super().set_deadline(milliseconds)
        seconds = self.patience or 0.0
        self._poll_ms = min(round(seconds * 1000), _INT_MAX) or None
        # A receive timeout of the kernel's costs nothing per call, unlike
        # socket.settimeout, which polls before every receive.
        self._socket.setsockopt(
            socket.SOL_SOCKET,
            socket.SO_RCVTIMEO,
            struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6)),
        )

    @override
    def send(self, request: bytes) -> None:
        self._awaited += 1
        try:
            self._socket.sendall(_LENGTH.pack(len(request)) + request)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if self._socket.fileno() < 0:
            raise self._gone()
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            # The session may have sent the reason before it ended, so this is no error
            # yet.
            return
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
            raise self.overdue()
        raise error

    @override
    def _take_reply(self) -> pb.Reply:
        # Replies to steps mostly have the same length. To ask for all of one at once
        # saves a system call where every microsecond counts. While several replies
        # are awaited, this must not read into the next one: a caller that polls the
        # descriptor must still find it there.
        if self._ahead:
            data, self._ahead = self._ahead, b""
        else:
            data = self._receive_some(self._wanted if self._awaited == 1 else _PREFIX)
        while len(data) < _PREFIX:
            data += self._receive_some(_PREFIX - len(data))
        size = _PREFIX + _LENGTH.unpack_from(data)[0]
        missing = size - len(data)
        if missing < 0:
            # A process that is stopped says why without being asked.
            data, self._ahead = data[:size], data[size:]
        elif missing:
            pieces = [data]
            while missing:
                pieces.append(self._receive_some(missing))
                missing -= len(pieces[-1])
            data = b"".join(pieces)
        self._wanted = size if size < _MOST_AT_ONCE else _MOST_AT_ONCE
        self._awaited -= 1
        return pb.Reply.FromString(data[_PREFIX:])

    def _receive_some(self, size: int) -> bytes:
        try:
            if self._poll is not None and not self._poll(self._poll_ms):
                raise BlockingIOError(errno.EAGAIN, "no reply in time")
            data = self._socket.recv(size)
        except OSError as error:
            self._give_up(error)
            data = b""
        if not data:
            self.close()
            raise lost(
                "the session ended without a reply: its process was killed from "
                "outside, by `kill -9` or for want of memory"
            )
        return data

    @property
    @override
    def _suspicion(self) -> str:
        return "; is the process stopped?"

    @override
    def fileno(self) -> int:
        return self._socket.fileno()

    @override
    def fork(self) -> LocalSession:
        ours, theirs = socket.socketpair()
        with theirs:
            request = pb.Request(fork=pb.Fork()).SerializeToString()
            frame = _LENGTH.pack(len(request)) + request
            self._awaited += 1
            try:
                socket.send_fds(self._socket, [frame], [theirs.fileno()])
            except OSError as error:
                ours.close()
                self._give_up(error)
        try:
            self.receive()
        except ServiceError:
            ours.close()
            raise
        twin = LocalSession(ours, self.opened)
        twin.set_deadline(self._deadline_ms)
        return twin

    @override
    def close(self) -> None:
        # The end of the stream ends the process at once.
        self._let_go()
        self._live.discard(self)

    def _abandon_in_child(self) -> None:
        self._closed_because = "it belongs to the process that forked this one"
        self._let_go()

    def _let_go(self) -> None:
        self._poll = None  # the number of the descriptor may be another's soon
        self._socket.close()


def _make_poll(sock: socket.socket) -> Callable[[int | None], object] | None:
    """What to wait with for a reply; None: nothing but receiving it.

    A thread that sleeps in recv() is also woken when the other end takes a message,
    since there is room for another then (unix_write_space in the kernel's
    af_unix.c). If there is one processor for both, that takes it from the compiler
    at each step, and more is lost than a call of poll(), which sleeps on, costs.
    With several processors it gains nothing.
    """
    if len(os.sched_getaffinity(0)) > 1:
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll


def _after_fork_in_child() -> None:
    # A session has one client. If the child kept its copy of the socket, the session
    # would not end with the parent.
    for session in list(LocalSession._live):
        session._abandon_in_child()
    LocalSession._live.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
