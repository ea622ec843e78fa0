# SPDX-License-Identifier: Apache-2.0
"""Sessions on this machine, over Unix sockets."""

from __future__ import annotations

import atexit
import errno
import os
import socket
import struct
import subprocess
import threading
import weakref
from typing import ClassVar

from typing_extensions import override

from mlcompiler_gym.errors import ServiceError, ServiceUnavailableError
from mlcompiler_gym.service.executable import find_executable, find_installed
from mlcompiler_gym.service.session import (
    GRACE,
    Service,
    Session,
    lost,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Bytes before a message that say how long it is.
_PREFIX = 4
#: Exit status of a service that cannot sandbox its sessions and must.
_NO_SANDBOX = 3
#: Seconds that a service whose sockets are closed may take to end.
_END = 5.0


class LocalSession(Session):
    """A session process at the other end of a socket."""

    #: Sessions of this process, to be let go in a forked child.
    _live: ClassVar[weakref.WeakSet[LocalSession]] = weakref.WeakSet()

    def __init__(self, sock: socket.socket, opened: pb.OpenReply | None = None) -> None:
        self._socket = sock
        self._awaited = 0
        self._last_size = _PREFIX
        self._deadline_ms = 0
        self.opened = opened if opened is not None else pb.OpenReply()
        self._live.add(self)

    @override
    def set_deadline(self, milliseconds: int) -> None:
        self._deadline_ms = milliseconds
        seconds = self.patience or 0.0
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
            self._socket.sendall(len(request).to_bytes(_PREFIX, "little") + request)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if self._socket.fileno() < 0:
            raise self._gone()
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            # It may have said why before it went.
            return
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
            raise self.overdue()
        raise error

    @override
    def _take_reply(self) -> pb.Reply:
        return pb.Reply.FromString(self._receive_frame())

    def _receive_frame(self) -> bytes:
        # Replies to steps are mostly of one length. To ask for all of it at once
        # saves a system call where every microsecond counts. While more than one
        # reply is to come, what is asked for must not reach into the next:
        # whoever polls the descriptor must find there what was not taken yet.
        wanted = min(self._last_size, 1 << 16) if self._awaited == 1 else _PREFIX
        data = self._receive_some(wanted)
        while len(data) < _PREFIX:
            data += self._receive_some(_PREFIX - len(data))
        self._last_size = _PREFIX + int.from_bytes(data[:_PREFIX], "little")
        if len(data) < self._last_size:
            pieces = [data]
            missing = self._last_size - len(data)
            while missing:
                pieces.append(self._receive_some(missing))
                missing -= len(pieces[-1])
            data = b"".join(pieces)
        self._awaited -= 1
        return data[_PREFIX:]

    def _receive_some(self, size: int) -> bytes:
        try:
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

    @override
    def overdue(self) -> ServiceError:
        self.close()
        return ServiceError(
            "DEADLINE_EXCEEDED",
            f"no reply {GRACE:.0f} s after the deadline of {self._deadline_ms} ms; "
            "is the process stopped?",
            session_ended=True,
        )

    @property
    @override
    def patience(self) -> float | None:
        return self._deadline_ms / 1000 + GRACE if self._deadline_ms else None

    @override
    def fileno(self) -> int:
        return self._socket.fileno()

    @override
    def fork(self) -> LocalSession:
        ours, theirs = socket.socketpair()
        with theirs:
            request = pb.Request(fork=pb.Fork()).SerializeToString()
            frame = len(request).to_bytes(_PREFIX, "little") + request
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
        self._socket.close()
        self._live.discard(self)

    def _abandon_in_child(self) -> None:
        self._closed_because = "it belongs to the process that forked this one"
        self._socket.close()


class LocalService(Service):
    """The native compiler service, as a process of this machine.

    It is started when first needed, started again should it be killed, and ends
    with this process. Threads and forked children may share one.
    """

    _shared: ClassVar[LocalService | None] = None
    #: Services of this process, to be made usable in a forked child.
    _live: ClassVar[weakref.WeakSet[LocalService]] = weakref.WeakSet()

    def __init__(self, *arguments: str) -> None:
        """``arguments`` go to the executable; see its ``--help``."""
        super().__init__()
        self._arguments = arguments
        self._live.add(self)
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def shared(cls) -> LocalService:
        """The service that environments use unless they are given another."""
        if cls._shared is None:
            cls._shared = cls()
            atexit.register(cls._shared.close)
        return cls._shared

    @property
    def pid(self) -> int | None:
        """Process of the service; None while it has not been started."""
        return self._process.pid if self._process else None

    def __deepcopy__(self, memo: object) -> LocalService:
        # Gymnasium copies the arguments of make(); a service is not data.
        return self

    def _start(self) -> None:
        executable = find_executable()
        options = [f"--vocabularies={find_installed('vocabularies') or ''}"]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [
                        executable,
                        f"--control-fd={theirs.fileno()}",
                        *options,
                        *self._arguments,
                    ],
                    pass_fds=[theirs.fileno()],
                    # Ctrl-C is for the agent, not for compiles under way.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise ServiceUnavailableError(
                    f"{executable} cannot be started: {error}"
                ) from error
        self._control = ours

    @override
    def connect(self) -> LocalSession:
        return LocalSession(self.connect_socket())

    def connect_socket(self) -> socket.socket:
        """A new stream, as the socket that it is."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            if not self._hand_over(theirs):
                # Killed, or not started yet.
                self._reap()
                self._start()
                if not self._hand_over(theirs):
                    ours.close()
                    raise self.explain_loss(lost("the service is gone"))
        return ours

    @override
    def explain_loss(self, error: ServiceError) -> Exception:
        process = self._process
        if process is None:
            return error
        try:
            status = process.wait(timeout=_END)
        except subprocess.TimeoutExpired:
            return error
        if status == _NO_SANDBOX:
            return ServiceUnavailableError(
                "session processes must be sandboxed (--sandbox=require), and here "
                "they cannot be: the kernel has no seccomp filters, or a container "
                "forbids them; what the service has printed says more. "
                "--sandbox=auto does without"
            )
        return ServiceUnavailableError(
            f"the compiler service ends as soon as it is started (exit status "
            f"{status}); run `{find_executable()} --version` to see why"
        )

    def _hand_over(self, sock: socket.socket) -> bool:
        """Give the service its end of a stream; False if there is no service."""
        if self._control is None:
            return False
        try:
            socket.send_fds(self._control, [b"c"], [sock.fileno()])
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                return False
            raise
        return True

    def _reap(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @override
    def close(self) -> None:
        with self._lock:
            self._reap()


def _after_fork_in_child() -> None:
    # A session has one client. Were the child to keep its copy of the socket,
    # the session would not end with the parent either.
    for session in list(LocalSession._live):
        session._abandon_in_child()
    LocalSession._live.clear()
    # Another thread may have held a lock, and does not exist here.
    for service in LocalService._live:
        service._lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
