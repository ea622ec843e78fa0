# SPDX-License-Identifier: Apache-2.0
"""One gRPC stream, and the session processes behind it."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable, Iterator
from typing import Protocol

import grpc
from google.protobuf.message import DecodeError

from mlcompiler_gym.client import frames
from mlcompiler_gym.client.frames import Item, Unpacker
from mlcompiler_gym.server.channel import Channel
from mlcompiler_gym.server.hub import Hub
from mlcompiler_gym.server.limits import Account

#: Bytes of requests that are passed on at once, by a thread of all streams.
_SMALL = 1 << 16
_TAKEN = b"taken"

#: Seconds by which a reply may be held up for those asked for together with it.
_TOGETHER = 0.001


class Codec(Protocol):
    """How sessions and their messages lie in the messages of the stream."""

    #: Whether the stream ends with its session.
    single: bool

    def unpack(self, data: bytes) -> Iterable[Item]:
        """What a message of the stream carries."""

    def pack(self, items: Iterable[Item]) -> Iterator[bytes]:
        """Messages of the stream that carry these."""


class ManySessions:
    """As ``relay.proto`` says."""

    single = False

    def __init__(self, limit: int) -> None:
        self._unpacker = Unpacker(limit)

    def unpack(self, data: bytes) -> Iterable[Item]:
        """Several, perhaps."""
        return self._unpacker.unpack(data)

    def pack(self, items: Iterable[Item]) -> Iterator[bytes]:
        """As few as there can be."""
        return frames.pack(items)


class OneSession:
    """Messages as they are."""

    single = True

    def unpack(self, data: bytes) -> Iterable[Item]:
        """Exactly one."""
        return [(1, data)]

    def pack(self, items: Iterable[Item]) -> Iterator[bytes]:
        """One each."""
        return (message for _, message in items if message is not None)


class Relay:
    """Passes requests on as they come, and replies as the processes send them.

    Two threads: one takes requests from gRPC (:meth:`_read`), one waits for the
    processes and gives their replies to gRPC (:meth:`run`). If the client takes
    no replies, gRPC stops asking for them, the processes are not read from, and
    in the end neither is the client.
    """

    def __init__(self, hub: Hub, codec: Codec) -> None:
        self._hub = hub
        self._account: Account | None = None
        self._codec = codec
        #: Guards all below: of a channel only one thread may have hold.
        self._lock = threading.Lock()
        self._channels: dict[int, Channel] = {}
        self._by_descriptor: dict[int, int] = {}
        self._writing: set[int] = set()
        self._highest = 0
        #: Sessions with replies that no process has brought.
        self._ready: set[int] = set()
        self._ended: list[Item] = []
        #: Replies that are to come to what came in one message.
        self._together = 0
        self._no_more = False
        self._closed = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wake, select.EPOLLIN)

    def run(
        self,
        requests: Iterator[bytes],
        context: grpc.ServicerContext,
        account: Account,
    ) -> Iterator[bytes]:
        """Serve the stream; its replies."""
        self._account = account
        self._hub.add(self)
        try:
            if not context.add_callback(self._abort):
                return  # the client has gone already
            threading.Thread(
                target=self._read, args=(requests, context), daemon=True
            ).start()
            while True:
                items = self._gather()
                if items:
                    yield from self._codec.pack(items)
                if self._is_over():
                    return
        finally:
            self._hub.remove(self)
            self._close()

    def _is_over(self) -> bool:
        with self._lock:
            if self._channels or self._ended:
                return False
            never = self._codec.single and not self._highest
            done = self._no_more or self._hub.draining
            return done or (self._codec.single and not never)

    def wake(self) -> None:
        """Let :meth:`run` look around."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def take_soon(self, data: bytes) -> bytes:
        """Take requests where gRPC deserialises them, as soon as they are there.

        To wake another thread for that would take longer than all else that is
        done here. What may take time, an upload, is left to :meth:`_read`.
        """
        if len(data) > _SMALL:
            return data
        try:
            items = self._codec.unpack(data)
        except DecodeError:
            return data
        self._take(items)
        return _TAKEN

    def _read(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> None:
        try:
            for data in requests:
                if data is not _TAKEN:
                    self._take(self._codec.unpack(data))
        except DecodeError:
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details("these bytes are not Frames of mlcompiler_gym.v1")
            self._abort()
            return
        except grpc.RpcError:
            self._abort()  # the client has gone
            return
        except Exception:
            # gRPC's iterator raises a bare Exception where a stream is cut off.
            if context.is_active():
                self._hub.log.exception("a stream's reader failed")
            self._abort()
            return
        with self._lock:
            self._no_more = True
            for number, channel in list(self._channels.items()):
                channel.finish()
                self._look_after(number, channel)
        self.wake()

    def _take(self, items: Iterable[Item]) -> None:
        with self._lock:
            if self._closed or self._account is None:
                return
            self._together = 0
            for number, message in items:
                channel = self._channels.get(number)
                if channel is None:
                    if message is None:
                        continue
                    if number <= self._highest:
                        # It has ended, which the client may not know yet.
                        self._ended.append((number, None))
                        os.eventfd_write(self._wake, 1)
                        continue
                    self._highest = number
                    channel = self._channels[number] = Channel(self._hub, self._account)
                if message is None:
                    channel.close()
                    self._forget(number)
                else:
                    self._together += 1
                    channel.take(message)
                    self._look_after(number, channel)

    def _look_after(self, number: int, channel: Channel) -> None:
        """See to it that :meth:`run` hears of all that the channel waits for."""
        if channel.replies or channel.over:
            self._ready.add(number)
            os.eventfd_write(self._wake, 1)
        if channel.over or channel.process is None:
            return
        descriptor = channel.process.fileno()
        if self._by_descriptor.get(descriptor) != number:
            self._by_descriptor[descriptor] = number
            self._writing.discard(descriptor)
            self._epoll.register(descriptor, select.EPOLLIN)
        unsent = channel.process.unsent > 0
        if unsent != (descriptor in self._writing):
            self._writing ^= {descriptor}
            events = select.EPOLLIN | (select.EPOLLOUT if unsent else 0)
            self._epoll.modify(descriptor, events)

    def _forget(self, number: int) -> None:
        del self._channels[number]
        self._ready.discard(number)

    def _gather(self) -> list[Item]:
        """Wait for replies, and take those that come together."""
        items = self._collect(self._epoll.poll())
        while items and self._together > 0:
            events = self._epoll.poll(_TOGETHER)
            if not events:
                break
            items += self._collect(events)
        return items

    def _collect(self, events: list[tuple[int, int]]) -> list[Item]:
        items: list[Item] = []
        with self._lock:
            for descriptor, event in events:
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                    continue
                number = self._by_descriptor.get(descriptor)
                channel = None if number is None else self._channels.get(number)
                if number is None or channel is None:
                    continue
                if event & select.EPOLLOUT and channel.process is not None:
                    channel.process.flush()
                if event & ~select.EPOLLOUT:
                    channel.receive()
                self._look_after(number, channel)
                if channel.replies or channel.over:
                    self._ready.add(number)
            for number in self._ready:
                channel = self._channels[number]
                items.extend((number, reply) for reply in channel.replies)
                self._together -= len(channel.replies)
                channel.replies.clear()
                if channel.over:
                    items.append((number, None))
                    del self._channels[number]
            self._ready.clear()
            items += self._ended
            self._ended.clear()
        return items

    def _abort(self) -> None:
        """The stream is gone: so are its sessions."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
            self._ready.clear()
            self._no_more = True
        self.wake()

    def _close(self) -> None:
        self._abort()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._epoll.close()
                os.close(self._wake)
