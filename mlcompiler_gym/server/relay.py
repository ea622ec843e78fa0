# SPDX-License-Identifier: Apache-2.0
"""One gRPC stream, and the session processes behind it."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Protocol

import grpc
from google.protobuf.message import DecodeError

from mlcompiler_gym.client import frames
from mlcompiler_gym.client.frames import Item, Unpacker
from mlcompiler_gym.server.hub import Hub
from mlcompiler_gym.server.limits import Account, Share
from mlcompiler_gym.server.process import CHUNK
from mlcompiler_gym.server.relayed_session import RelayedSession

#: Bytes of requests that are passed on at once, by a thread of all streams, and
#: sessions that they are for.
_SMALL = 1 << 14
_FEW = 64
_TAKEN = b"taken"

#: Seconds that a reply may wait for others that were requested together with it.
_TOGETHER = 0.001
#: Seconds after which a thread looks again whether another has made room.
_AGAIN = 0.02
#: Bytes of a part of a large request. If a client's requests have more than the second
#: number, no further large one is begun.
_LARGE = 1 << 19
_BESIDE = 16 << 20


class Codec(Protocol):
    """How sessions and their messages lie in the messages of the stream."""

    #: Whether the stream ends with its session.
    single: bool

    def begin(self, requests: Share) -> None:
        """Keep what is not complete as a part of the client's requests."""

    @property
    def incomplete(self) -> bool:
        """Whether anything is kept."""

    def unpack(self, data: bytes) -> Iterable[Item]:
        """What a message of the stream carries."""

    def pack(self, items: Iterable[Item]) -> Iterator[bytes]:
        """Messages of the stream that carry these."""


class ManySessions:
    """As ``relay.proto`` says."""

    single = False

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def begin(self, requests: Share) -> None:
        """Keep parts of messages."""
        self._unpacker = Unpacker(self._limit, requests)

    @property
    def incomplete(self) -> bool:
        """Whether there are such parts."""
        return self._unpacker.incomplete

    def unpack(self, data: bytes) -> Iterable[Item]:
        """Several, perhaps."""
        return self._unpacker.unpack(data)

    def pack(self, items: Iterable[Item]) -> Iterator[bytes]:
        """As few as there can be."""
        return frames.pack(items)


class OneSession:
    """Messages as they are."""

    single = True
    incomplete = False

    def begin(self, requests: Share) -> None:
        """Nothing is kept."""

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
    neither is the client. A client's streams do their work in turn.
    """

    def __init__(self, hub: Hub, codec: Codec) -> None:
        self._hub = hub
        self._codec = codec
        #: Guards everything below: only one thread may use a session at a time.
        self._lock = threading.Lock()
        self._collected = threading.Condition(self._lock)
        self._sessions: dict[int, RelayedSession] = {}
        self._by_descriptor: dict[int, int] = {}
        self._writing: set[int] = set()
        #: Sessions whose large replies wait for room.
        self._blocked: set[int] = set()
        self._highest = 0
        #: Sessions with replies that no process has brought.
        self._ready: set[int] = set()
        self._ended: list[Item] = []
        #: How many requests of the last message still await their replies.
        self._together = 0
        self._no_more = False
        #: Not begun yet, or over.
        self._closed = True

    def run(
        self,
        requests: Iterator[bytes],
        context: grpc.ServicerContext,
        account: Account,
    ) -> Iterator[bytes]:
        """Serve the stream; its replies.

        Raises:
            OSError: There are no descriptors left for it.
            RuntimeError: There are no threads left for it.
        """
        self._begin(account)
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
                    for session, reply in self._on_their_way:
                        session.sent(reply)
                    self._on_their_way.clear()
                if self._is_over():
                    return
        finally:
            self._hub.remove(self)
            self._close()

    def _begin(self, account: Account) -> None:
        self._account = account
        self._requests = Share(account.requests)
        self._codec.begin(self._requests)
        #: Large replies that have not been given to gRPC yet.
        self._on_their_way: list[tuple[RelayedSession, bytes]] = []
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._epoll = select.epoll()
        except OSError:
            os.close(self._wake)
            raise
        self._epoll.register(self._wake, select.EPOLLIN)
        self._closed = False

    def _is_over(self) -> bool:
        with self._lock:
            if self._sessions or self._ended:
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
        done here. What may take time, or wait, is left to :meth:`_read`.
        """
        if len(data) > _SMALL or data.count(b"\n") > _FEW:
            return data
        if not self._lock.acquire(blocking=False):
            return data
        try:
            self._take(self._codec.unpack(data))
        except DecodeError:
            return data
        finally:
            self._lock.release()
        return _TAKEN

    def _read(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> None:
        try:
            for data in requests:
                if data is not _TAKEN:
                    if len(data) > _LARGE:
                        self._wait_for_room()
                    with self._account.turn, self._lock:
                        self._take(self._codec.unpack(data))
                if not self._wait_for_client():
                    return
        except DecodeError as error:
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details(
                f"these bytes are not Frames of mlcompiler_gym.v1: {error}"
            )
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
            for number, session in list(self._sessions.items()):
                session.finish()
                self._look_after(number, session)
        self.wake()

    def _wait_for_room(self) -> None:
        """Begin nothing large while what the client has begun takes a lot."""
        while (
            not self._codec.incomplete
            and self._account.requests.value > _BESIDE
            and not self._closed
        ):
            time.sleep(_AGAIN)

    def _wait_for_client(self) -> bool:
        """Wait until it takes the replies that there are; False: it has gone."""
        with self._collected:
            self._collected.wait_for(lambda: self._closed or not self._ready)
            return not self._closed

    def _take(self, items: Iterable[Item]) -> None:
        """Pass requests on; the lock is held."""
        if self._closed:
            return
        self._together = 0
        for number, message in items:
            session = self._sessions.get(number)
            if session is None:
                if message is None:
                    continue
                if number <= self._highest:
                    # The session has ended, which the client may not know yet.
                    self._ended.append((number, None))
                    os.eventfd_write(self._wake, 1)
                    continue
                self._highest = number
                session = self._sessions[number] = RelayedSession(
                    self._hub, self._account
                )
            if message is None:
                session.close()
                session.drop_replies()
                self._forget(number)
            else:
                self._together += 1
                session.take(message)
                self._look_after(number, session)

    def _look_after(self, number: int, session: RelayedSession) -> None:
        """See to it that :meth:`run` hears of all that the session waits for."""
        if session.replies or session.over:
            self._ready.add(number)
            os.eventfd_write(self._wake, 1)
        if session.over or session.process is None:
            return
        descriptor = session.process.fileno()
        if session.process.blocked:
            if number not in self._blocked:
                self._blocked.add(number)
                self._epoll.unregister(descriptor)
                del self._by_descriptor[descriptor]
            return
        if self._by_descriptor.get(descriptor) != number:
            self._by_descriptor[descriptor] = number
            self._writing.discard(descriptor)
            self._epoll.register(descriptor, select.EPOLLIN)
        unsent = session.process.unsent
        if unsent != (descriptor in self._writing):
            self._writing ^= {descriptor}
            events = select.EPOLLIN | (select.EPOLLOUT if unsent else 0)
            self._epoll.modify(descriptor, events)

    def _forget(self, number: int) -> None:
        del self._sessions[number]
        self._ready.discard(number)
        self._blocked.discard(number)

    def _gather(self) -> list[Item]:
        """Wait for replies, and take the replies that come together."""
        items = self._collect(self._epoll.poll(_AGAIN if self._blocked else None))
        while items and self._together > 0:
            events = self._epoll.poll(_TOGETHER)
            if not events:
                break
            items += self._collect(events)
        return items

    def _collect(self, events: list[tuple[int, int]]) -> list[Item]:
        items: list[Item] = []
        with self._account.turn, self._lock:
            for number in list(self._blocked):
                self._blocked.discard(number)
                self._sessions[number].receive()
                self._look_after(number, self._sessions[number])
            for descriptor, event in events:
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                    continue
                number_ = self._by_descriptor.get(descriptor)
                session = None if number_ is None else self._sessions.get(number_)
                if number_ is None or session is None:
                    continue
                if event & select.EPOLLOUT and session.process is not None:
                    session.process.flush()
                if event & ~select.EPOLLOUT:
                    session.receive()
                self._look_after(number_, session)
            for number in self._ready:
                session = self._sessions[number]
                for reply in session.replies:
                    items.append((number, reply))
                    if len(reply) > CHUNK:
                        self._on_their_way.append((session, reply))
                self._together -= len(session.replies)
                session.replies.clear()
                if session.over:
                    items.append((number, None))
                    del self._sessions[number]
                    self._blocked.discard(number)
            self._ready.clear()
            self._collected.notify_all()
            items += self._ended
            self._ended.clear()
        return items

    def end_overdue(self) -> None:
        """End the sessions whose processes are stuck."""
        with self._lock:
            if self._closed:
                return
            for number, session in self._sessions.items():
                session.expire()
                self._look_after(number, session)

    def _abort(self) -> None:
        """The stream is gone: so are its sessions."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
                session.drop_replies()
            self._sessions.clear()
            self._ready.clear()
            self._blocked.clear()
            self._no_more = True
            self._collected.notify_all()
        self.wake()

    def _close(self) -> None:
        self._abort()
        with self._lock:
            for session, reply in self._on_their_way:
                session.sent(reply)
            self._on_their_way.clear()
            if not self._closed:
                self._closed = True
                self._requests.close()
                self._collected.notify_all()
                self._epoll.close()
                os.close(self._wake)
