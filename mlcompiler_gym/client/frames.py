# SPDX-License-Identifier: Apache-2.0
"""Messages of many sessions in one stream, as ``relay.proto`` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from google.protobuf.message import DecodeError

from mlcompiler_gym.v1 import relay_pb2 as relay

#: Methods of the server that carry sessions.
ONE_SESSION = "/mlcompiler_gym.v1.CompilerService/Session"
MANY_SESSIONS = "/mlcompiler_gym.v1.Relay/Sessions"

#: Bytes that travel in one piece; gRPC takes 4 MiB by default.
_PIECE = 1 << 20
#: Frames of a message at most.
MOST = 1024

#: The byte that each frame of a message begins with.
_TAG = 0x0A
#: What it takes to keep a message at all, in bytes.
ENTRY = 1024

#: A session's number and a message; None: the session's end.
Item = tuple[int, bytes | None]


def pack(items: Iterable[Item]) -> Iterator[bytes]:
    """Serialised ``Frames``, as few as there can be."""
    # Frames are added in place, because a frame that is made first would be copied.
    batch = relay.Frames()
    frames = batch.frames
    size = 0
    for session, message in items:
        if frames and (len(frames) == MOST or size + len(message or b"") > _PIECE):
            yield batch.SerializeToString()
            del frames[:]
            size = 0
        if message is None:
            frames.add(session=session, end=True)
            continue
        begin = 0
        while len(message) - begin > _PIECE:
            piece = message[begin : begin + _PIECE]
            frame = relay.Frame(session=session, message=piece, more=True)
            yield relay.Frames(frames=[frame]).SerializeToString()
            begin += _PIECE
        rest = message[begin:] if begin else message
        added = frames.add()
        added.session = session
        added.message = rest
        size += len(rest)
    if frames:
        yield batch.SerializeToString()


class Room(Protocol):
    """Where there is only so much room for what is incomplete."""

    def take(self, amount: int) -> bool:
        """Take some; False if there is not that much."""

    def give(self, amount: int) -> None:
        """Give some back."""


class Unpacker:
    """Puts messages together again.

    One that has more than ``limit`` bytes, or for which there is no ``room`` left, is
    given as :data:`TOO_LARGE`.
    """

    def __init__(self, limit: int, room: Room | None = None) -> None:
        self._limit = limit
        self._room = room
        #: None: too large, the rest of it is dropped.
        self._parts: dict[int, _Part | None] = {}

    @property
    def incomplete(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._parts)

    def unpack(self, data: bytes) -> list[Item]:
        """What is complete with these frames.

        Raises:
            google.protobuf.message.DecodeError: They are not ``Frames``, or more than
                :data:`MOST`.
        """
        items: list[Item] = []
        if _holds_many_frames(data):
            raise DecodeError(f"more than {MOST} frames in a message")
        for frame in relay.Frames.FromString(data).frames:
            session = frame.session
            if frame.end:
                self._forget(session)
                items.append((session, None))
                continue
            message = frame.message
            if frame.more or session in self._parts:
                self._keep(session, message)
                if frame.more:
                    continue
                part = self._forget(session)
                message = TOO_LARGE if part is None else b"".join(part.pieces)
            elif len(message) > self._limit:
                message = TOO_LARGE
            items.append((session, message))
        return items

    def _keep(self, session: int, message: bytes) -> None:
        if session not in self._parts:
            if self._room is not None and not self._room.take(ENTRY):
                raise DecodeError("there is no room for another unfinished message")
            self._parts[session] = _Part()
        part = self._parts[session]
        if part is None:
            return
        fits = part.size + len(message) <= self._limit
        if fits and (self._room is None or self._room.take(len(message))):
            part.append(message)
            return
        if self._room is not None:
            self._room.give(part.size)
        self._parts[session] = None

    def _forget(self, session: int) -> _Part | None:
        if session not in self._parts:
            return None
        part = self._parts.pop(session)
        if self._room is not None:
            self._room.give(ENTRY + (part.size if part is not None else 0))
        return part


class _Part:
    """A message that is not complete.

    In pieces, since what grows by itself is copied now and then and takes twice the
    room meanwhile; and in few, since each could be of one byte.
    """

    def __init__(self) -> None:
        self.size = 0
        self.pieces: list[bytes | bytearray] = []

    def append(self, message: bytes) -> None:
        self.size += len(message)
        last = self.pieces[-1] if self.pieces else b""
        if isinstance(last, bytearray) and len(last) + len(message) <= _PIECE:
            last += message
        else:
            # A large message is not copied once more.
            small = len(message) < _PIECE // 2
            self.pieces.append(bytearray(message) if small else message)


def _holds_many_frames(data: bytes) -> bool:
    """Whether there are more than :data:`MOST`, which is known before they are read.

    A frame of two bytes would become an object of a hundred.
    """
    # If there are few bytes, counting tags is quick. If frames are large, going from
    # frame to frame is quick.
    if len(data) < _PIECE // 16 and data.count(_TAG) <= MOST:
        return False
    at = count = 0
    while at < len(data) and count <= MOST:
        if data[at] != _TAG:
            return True  # not of this protocol
        size = shift = 0
        at += 1
        while at < len(data):
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        at += size
        count += 1
    return count > MOST


#: Stands for a message that was too large. No message of the protocol begins so.
TOO_LARGE = b"\0too large"
