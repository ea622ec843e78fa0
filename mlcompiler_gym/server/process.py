# SPDX-License-Identifier: Apache-2.0
"""A session process, as the server sees it: frames over a socket, never waiting."""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque

from mlcompiler_gym.server.limits import Share

_PREFIX = 4
#: Bytes that are read at once. A reply that is longer has to find room first.
CHUNK = 1 << 16


class TooLarge(bytes):
    """Stands for a reply that was dropped; its bytes say how long it was."""


class Process:
    """The server's end of a session's socket. Not for several threads at once."""

    def __init__(self, sock: socket.socket, room: Share) -> None:
        """Large replies are read once ``room`` has been taken for them.

        The caller gives it back when the reply is gone: its length, if that is more
        than :data:`CHUNK`.
        """
        sock.setblocking(False)
        self._socket = sock
        self._room = room
        self._received = bytearray()
        #: Bytes of the reply being received, if it is a large one.
        self._large = 0
        #: Bytes that are read and dropped.
        self._dropping = 0
        self._dropped = 0
        #: Bytes, and the socket that goes with the first of them.
        self._unsent: deque[tuple[memoryview, socket.socket | None]] = deque()
        #: A large reply waits for room, and nothing can be received.
        self.blocked = False
        self._shut = False

    @property
    def unsent(self) -> bool:
        """Whether there is anything that it has had no room for yet."""
        return bool(self._unsent)

    def fileno(self) -> int:
        """Descriptor to poll; -1 once closed."""
        return self._socket.fileno()

    def send(self, message: bytes, with_socket: socket.socket | None = None) -> None:
        """Send a message, or keep it until there is room; takes the socket."""
        prefix = len(message).to_bytes(_PREFIX, "little")
        if len(message) < CHUNK:
            self._unsent.append((memoryview(prefix + message), with_socket))
        else:
            self._unsent.append((memoryview(prefix), with_socket))
            self._unsent.append((memoryview(message), None))
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
                # The process has ended, but its last words can still be read.
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
        with contextlib.suppress(OSError):  # it has ended, which receive() will find
            self._socket.shutdown(socket.SHUT_WR)

    def has_answered(self) -> bool:
        """Whether there is anything to receive."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def receive(self) -> list[bytes] | None:
        """Replies that have arrived; None: there will be no more."""
        if self.blocked and not self._find_room():
            return []
        missing = self._large + _PREFIX - len(self._received) if self._large else CHUNK
        try:
            data = self._socket.recv(min(self._dropping or missing, 4 * CHUNK))
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        if self._dropping:
            return self._drop(len(data))
        size = int.from_bytes(data[:_PREFIX], "little")
        if not self._received and size == len(data) - _PREFIX:
            return [data[_PREFIX:]]  # one whole reply, as mostly
        self._received += data
        return self._take_frames()

    def _take_frames(self) -> list[bytes]:
        received = self._received
        frames: list[bytes] = []
        while len(received) >= _PREFIX:
            size = int.from_bytes(received[:_PREFIX], "little")
            end = _PREFIX + size
            if len(received) >= end:
                with memoryview(received) as view:
                    frames.append(bytes(view[_PREFIX:end]))
                del received[:end]
                self._large = 0
                continue
            if size > self._room.most:
                self._dropped = size
                self._dropping = end - len(received)
                received.clear()
            elif size > CHUNK and not self._large:
                self._large = size
                self._find_room()
            break
        return frames

    def _find_room(self) -> bool:
        self.blocked = not self._room.take(self._large)
        return not self.blocked

    def _drop(self, count: int) -> list[bytes]:
        self._dropping -= count
        return [] if self._dropping else [TooLarge(str(self._dropped).encode())]

    def release(self) -> socket.socket:
        """Its socket, which is not used here any more."""
        self._drop_unsent()
        if self._large and not self.blocked:
            self._room.give(self._large)
        self._large = 0
        self._received.clear()
        return self._socket

    def _drop_unsent(self) -> None:
        for _, descriptor in self._unsent:
            if descriptor is not None:
                descriptor.close()
        self._unsent.clear()
