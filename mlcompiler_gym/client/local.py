# SPDX-License-Identifier: Apache-2.0
"""The compiler service on this machine."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
import weakref
from array import array
from contextlib import ExitStack
from typing import Any, ClassVar

from typing_extensions import override

from mlcompiler_gym.client.executable import find_executable, find_installed
from mlcompiler_gym.client.local_session import LocalSession
from mlcompiler_gym.client.session import Service, lost
from mlcompiler_gym.errors import ServiceUnavailableError, SessionLostError
from mlcompiler_gym.files import explain

#: Exit status of a service that cannot sandbox its sessions and must.
_NO_SANDBOX = 3
#: Seconds that a service whose sockets are closed may take to end.
_PATIENCE = 5.0


class LocalService(Service):
    """The native compiler service, as a process of this machine.

    It is started when first needed, and again if it has been killed. It ends with this
    object or with this process. Threads and forked children may share one.
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
        self._end: weakref.finalize[..., LocalService] | None = None

    @classmethod
    def shared(cls) -> LocalService:
        """The service that environments use unless they are given another."""
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    @property
    def pid(self) -> int | None:
        """Process of the service; None while it has not been started."""
        return self._process.pid if self._process else None

    def __deepcopy__(self, memo: object) -> LocalService:
        # Gymnasium copies the arguments of make(); a service is not data.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling makes a service with the same arguments.
        if self is LocalService._shared:
            return (LocalService.shared, ())
        return (type(self), self._arguments)

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
        self._end = weakref.finalize(self, _end, ours, self._process)

    @override
    def connect(self) -> LocalSession:
        return LocalSession(self.connect_socket())

    def connect_socket(self, *, wait: bool = True) -> socket.socket:
        """A new stream, as the socket that it is.

        Args:
            wait: Until the service has room for another, rather than raise
                ``BlockingIOError``.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise ServiceUnavailableError(
                f"there can be no further session: {explain(error)}"
            ) from error
        with theirs, self._lock, ExitStack() as unless_connected:
            unless_connected.callback(ours.close)
            if not self._hand_over(theirs, wait=wait):
                # Killed, or not started yet.
                self._reap()
                self._start()
                if not self._hand_over(theirs, wait=wait):
                    raise self.explain_loss(lost("the service is gone"))
            unless_connected.pop_all()
        return ours

    @property
    @override
    def where(self) -> str:
        return f"the compiler service {find_executable()}"

    @override
    def explain_loss(self, error: SessionLostError) -> Exception:
        process = self._process
        if process is None:
            return error
        try:
            status = process.wait(timeout=_PATIENCE)
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
            f"{status}); `{find_executable()} --version` says why{_last_words()}"
        )

    def _hand_over(self, sock: socket.socket, *, wait: bool) -> bool:
        """Give the service its end of a stream; False if there is no service."""
        if self._control is None:
            return False
        try:
            flags = 0 if wait else socket.MSG_DONTWAIT
            # socket.send_fds() takes flags and ignores them, so sendmsg() is called
            # directly.
            rights = array("i", [sock.fileno()])
            carried = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            self._control.sendmsg([b"c"], carried, flags)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                return False
            raise
        return True

    def _reap(self) -> None:
        if self._end is not None:
            self._end()
        self._control = self._process = self._end = None

    @override
    def close(self) -> None:
        with self._lock:
            self._reap()


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """End a service: it does when its control socket is closed."""
    control.close()
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words() -> str:
    """What the executable, or the loader in its place, has to say."""
    try:
        done = subprocess.run(
            [find_executable(), "--version"],
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f": {error}"
    said = done.stderr.decode(errors="replace").strip()
    return f": {said[:2000]}" if done.returncode and said else ""


def _after_fork_in_child() -> None:
    # Another thread may have held a lock, and does not exist here.
    for service in LocalService._live:
        service._lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
