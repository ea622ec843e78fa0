# SPDX-License-Identifier: Apache-2.0
"""gRPC calls that carry sessions, from the client's side."""

from __future__ import annotations

import abc
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeAlias

import grpc
from google.protobuf.message import DecodeError
from typing_extensions import override

from mlcompiler_gym.client import frames
from mlcompiler_gym.client.inbox import Inbox

_PASSING = frozenset({"OK", "UNAVAILABLE", "CANCELLED", "UNKNOWN", "INTERNAL"})


@dataclass(frozen=True)
class Ended:
    """The session has ended; what it was asked last will not be answered."""


@dataclass(frozen=True)
class Broken:
    """The stream has ended and its sessions with it.

    Attributes:
        status: Name of gRPC's status, for example ``"UNAVAILABLE"``.
        details: What gRPC says about it.
    """

    status: str
    details: str

    @property
    def passing(self) -> bool:
        """Whether the same may succeed elsewhere, or later."""
        return self.status in _PASSING


#: What a stream has for a session: a serialised reply, or no more of them.
Event: TypeAlias = bytes | Ended | Broken


_PASSED_ON = b"passed on"
_NOT_UNDERSTOOD = b"not understood"


class Stream(abc.ABC):
    """One gRPC call. Whatever is sent while it is busy travels together."""

    def __init__(
        self, channel: grpc.Channel, method: str, metadata: Sequence[tuple[str, str]]
    ) -> None:
        self._queue: SimpleQueue[frames.Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._receivers: dict[int, Inbox[Event]] = {}
        self._numbered = 0
        self.broken: Broken | None = None
        # There is no serialiser, because requests are bytes already. gRPC calls the
        # deserialiser as soon as a reply is there. Passing replies on in it saves
        # waking the thread that takes them from the call.
        self._call = channel.stream_stream(method, response_deserializer=self._pass_on)(
            self._outgoing(), metadata=tuple(metadata)
        )
        threading.Thread(target=self._read, name="mlcompiler-gym", daemon=True).start()

    def add(self, receiver: Inbox[Event]) -> int:
        """A new session; its number on this stream."""
        with self._lock:
            self._numbered += 1
            number = self._numbered
            if self.broken is None:
                self._receivers[number] = receiver
                return number
        receiver.put(self, self.broken)
        return number

    def send(self, number: int, message: bytes | None) -> None:
        """Send a session's request; None: end it."""
        self._queue.put((number, message))

    def remove(self, number: int) -> None:
        """End a session, without waiting for it."""
        with self._lock:
            known = self._receivers.pop(number, None) is not None
        if known:
            self.send(number, None)

    def cancel(self) -> None:
        """End the call and all its sessions."""
        self._call.cancel()

    def _outgoing(self) -> Iterator[bytes]:
        queue = self._queue
        while True:
            item = queue.get()
            items = []
            while item is not None:
                items.append(item)
                if queue.empty():
                    break
                item = queue.get()
            yield from self._pack(items)
            if item is None:
                return

    @abc.abstractmethod
    def _pack(self, items: list[frames.Item]) -> Iterator[bytes]:
        """Messages of the call that carry these."""

    @abc.abstractmethod
    def _unpack(self, data: bytes) -> Iterable[frames.Item]:
        """What a message of the call carries."""

    def _pass_on(self, data: bytes) -> bytes:
        try:
            items = self._unpack(data)
        except DecodeError:
            self.broken = Broken("UNIMPLEMENTED", "it does not speak this protocol")
            return _NOT_UNDERSTOOD
        for number, message in items:
            with self._lock:
                receiver = self._receivers.get(number)
                if message is None:
                    self._receivers.pop(number, None)
            if receiver is not None:
                receiver.put(self, Ended() if message is None else message)
        return _PASSED_ON

    def _read(self) -> None:
        broken = Broken("OK", "the server has ended the stream")
        try:
            for taken in self._call:
                if taken is _NOT_UNDERSTOOD:
                    self._call.cancel()
        except grpc.RpcError as error:
            broken = Broken(error.code().name, error.details() or "")
        with self._lock:
            broken = self.broken = self.broken or broken
            receivers = list(self._receivers.values())
            self._receivers.clear()
        self._queue.put(None)
        event = self._last_event(broken)
        for receiver in receivers:
            receiver.put(self, event)

    def _last_event(self, broken: Broken) -> Event:
        return broken


class SharedStream(Stream):
    """Carries any number of sessions."""

    def __init__(
        self, channel: grpc.Channel, metadata: Sequence[tuple[str, str]]
    ) -> None:
        # A reply may be as large as the client has memory for.
        self._unpacker = frames.Unpacker(limit=1 << 62)
        super().__init__(channel, frames.MANY_SESSIONS, metadata)

    @override
    def _pack(self, items: list[frames.Item]) -> Iterator[bytes]:
        return frames.pack(items)

    @override
    def _unpack(self, data: bytes) -> Iterable[frames.Item]:
        return self._unpacker.unpack(data)


class SingleStream(Stream):
    """Carries one session: the contract's own method."""

    def __init__(
        self, channel: grpc.Channel, metadata: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(channel, frames.ONE_SESSION, metadata)

    @override
    def _pack(self, items: list[frames.Item]) -> Iterator[bytes]:
        for _, message in items:
            if message is None:
                self._call.cancel()
                return
            yield message

    @override
    def _unpack(self, data: bytes) -> Iterable[frames.Item]:
        return [(1, data)]

    @override
    def _last_event(self, broken: Broken) -> Event:
        return Ended() if broken.status in ("OK", "CANCELLED") else broken
