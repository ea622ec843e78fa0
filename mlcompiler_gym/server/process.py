# SPDX-License-Identifier: Apache-2.0
"""A session process, as the server sees it: frames over a socket, never waiting."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Iterator

_PREFIX = 4
_CHUNK = 1 << 18


class Process:
    """The server's end of a session's socket. Not for several threads at once."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._received = bytearray()
        #: Frames, and the socket that goes with one.
        self._unsent: deque[tuple[memoryview, socket.socket | None]] = deque()
        self._shut = False

    @property
    def unsent(self) -> int:
        """Bytes that it has had no room for yet."""
        return sum(len(data) for data, _ in self._unsent) if self._unsent else 0

    def fileno(self) -> int:
        """Descriptor to poll; -1 once closed."""
        return self._socket.fileno()

    def send(self, message: bytes, with_socket: socket.socket | None = None) -> None:
        """Send a message, or keep it until there is room; takes the socket."""
        data = len(message).to_bytes(_PREFIX, "little") + message
        self._unsent.append((memoryview(data), with_socket))
        self.flush()

    def flush(self) -> None:
        """Send as much as there is room for."""
        while self._unsent:
            data, descriptor = self._unsent[0]
            try:
                if descriptor is None:
                    sent = self._socket.send(data)
                else:
                    sent = socket.send_fds(self._socket, [data], [descriptor.fileno()])
                    descriptor.close()
            except BlockingIOError:
                return
            except OSError:
                # It has ended; what it said last is still to be read.
                self._drop_unsent()
                return
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = (data[sent:], None)
        if self._shut:
            self._shut_down()

    def finish(self) -> None:
        """Tell it that nothing will follow."""
        self._shut = True
        if not self._unsent:
            self._shut_down()

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):  # it has ended, which is to be read
            self._socket.shutdown(socket.SHUT_WR)

    def receive(self) -> list[bytes] | None:
        """Replies that have arrived; None: there will be no more."""
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        size = int.from_bytes(data[:_PREFIX], "little")
        if not self._received and size == len(data) - _PREFIX:
            return [data[_PREFIX:]]  # one whole reply, as mostly
        self._received += data
        return list(self._take_frames())

    def _take_frames(self) -> Iterator[bytes]:
        received = self._received
        while len(received) >= _PREFIX:
            end = _PREFIX + int.from_bytes(received[:_PREFIX], "little")
            if len(received) < end:
                return
            yield bytes(received[_PREFIX:end])
            del received[:end]

    def close(self) -> None:
        """End the session now."""
        self._drop_unsent()
        self._socket.close()

    def _drop_unsent(self) -> None:
        for _, descriptor in self._unsent:
            if descriptor is not None:
                descriptor.close()
        self._unsent.clear()
