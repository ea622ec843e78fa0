# SPDX-License-Identifier: Apache-2.0
"""Messages of many sessions in one stream, as ``relay.proto`` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlcompiler_gym.v1 import relay_pb2 as relay

#: Methods of the server that carry sessions.
ONE_SESSION = "/mlcompiler_gym.v1.CompilerService/Session"
MANY_SESSIONS = "/mlcompiler_gym.v1.Relay/Sessions"

#: Bytes that travel in one piece; gRPC takes 4 MiB by default.
_PIECE = 1 << 20

#: A session's number and a message; None: the session's end.
Item = tuple[int, bytes | None]


def pack(items: Iterable[Item]) -> Iterator[bytes]:
    """Serialised ``Frames``, as few as there can be."""
    frames: list[relay.Frame] = []
    size = 0
    for session, message in items:
        if message is None:
            frames.append(relay.Frame(session=session, end=True))
            continue
        if size + len(message) > _PIECE and frames:
            yield relay.Frames(frames=frames).SerializeToString()
            frames, size = [], 0
        begin = 0
        while len(message) - begin > _PIECE:
            piece = message[begin : begin + _PIECE]
            frame = relay.Frame(session=session, message=piece, more=True)
            yield relay.Frames(frames=[frame]).SerializeToString()
            begin += _PIECE
        rest = message[begin:] if begin else message
        frames.append(relay.Frame(session=session, message=rest))
        size += len(rest)
    if frames:
        yield relay.Frames(frames=frames).SerializeToString()


class Unpacker:
    """Puts messages together again.

    At most ``limit`` bytes are kept of messages that are not complete. One that
    is larger, or finds no room beside others, is given as :data:`TOO_LARGE`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = 0
        #: None: too large, the rest of it is dropped.
        self._parts: dict[int, bytearray | None] = {}

    def unpack(self, data: bytes) -> list[Item]:
        """What is complete with these frames.

        Raises:
            google.protobuf.message.DecodeError: They are not ``Frames``.
        """
        items: list[Item] = []
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
                message = TOO_LARGE if part is None else bytes(part)
            elif len(message) > self._limit:
                message = TOO_LARGE
            items.append((session, message))
        return items

    def _keep(self, session: int, message: bytes) -> None:
        part = self._parts.setdefault(session, bytearray())
        if part is None:
            return
        if self._kept + len(message) > self._limit:
            self._kept -= len(part)
            self._parts[session] = None
        else:
            self._kept += len(message)
            part += message

    def _forget(self, session: int) -> bytearray | None:
        part = self._parts.pop(session, None)
        self._kept -= len(part or b"")
        return part


#: Stands for a message that was too large. No message of the protocol begins so.
TOO_LARGE = b"\0too large"
