# SPDX-License-Identifier: Apache-2.0
"""A session on another machine, and how it comes back when its stream breaks."""

from __future__ import annotations

import time
import weakref
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from mlcompiler_gym.client.inbox import Inbox
from mlcompiler_gym.client.remote_stream import Broken, Ended, Event, Stream
from mlcompiler_gym.client.session import Session, lost, raise_for_error
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

if TYPE_CHECKING:
    from mlcompiler_gym.client.remote import GrpcService

#: First bytes of serialised requests: the tag of the field that is set.
_OPEN = b"\x1a"
_STEP, _PLAY, _EXPLORE = b"\x22", b"\x5a", b"\x62"
#: Seconds between attempts to reach a server that does not answer.
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass
class History:
    """What makes a session again, wherever that is: a compile is deterministic.

    Attributes:
        requests: The ``Open``, and all that changed anything since.
        state: What the latest of them led to.
    """

    requests: list[bytes] = field(default_factory=list)
    state: pb.State | None = None

    def note(self, request: bytes, reply: pb.Reply) -> None:
        """Remember an answered request."""
        state = _state_of(reply)
        if state is not None and not self._stays(reply, state):
            self.requests.append(request)
            self.state = state
        elif request[:1] in (_STEP, _PLAY, _EXPLORE) and reply.HasField("error"):
            # The actions before the illegal one were taken, so the request is part of
            # what led here. Where a policy left the session, the state itself may be
            # what failed.
            self.requests.append(request)

    def _stays(self, reply: pb.Reply, state: pb.State) -> bool:
        """Whether the session stands where it stood: to repeat that takes long."""
        return (
            (reply.HasField("explore") or len(reply.play.episodes) > 0)
            and self.state is not None
            and state.decisions == self.state.decisions
        )

    def agrees(self, reply: pb.Reply) -> bool:
        """Whether a replay has led to the same."""
        if self.state is None or reply.HasField("error"):
            return True
        state = _state_of(reply) or pb.State()
        return (state.decisions, state.features) == (
            self.state.decisions,
            self.state.features,
        )


def _state_of(reply: pb.Reply) -> pb.State | None:
    """Where a reply says that the session stands, if it says so."""
    if reply.HasField("step"):
        return reply.step
    for kind in ("open", "play", "explore"):
        if reply.HasField(kind):
            state: pb.State = getattr(reply, kind).state
            return state
    return None


class _StreamBrokenError(Exception):
    def __init__(self, broken: Broken) -> None:
        super().__init__(broken)
        self.broken = broken


class GrpcSession(Session):
    """A session of a :class:`~mlcompiler_gym.client.remote.GrpcService`.

    Should its stream break, it is made again on another, by the same requests,
    and the request that was under way is repeated: the caller does not notice,
    except by the time it takes.
    """

    #: Sessions of this process, to be let go in a forked child.
    _live: ClassVar[weakref.WeakSet[GrpcSession]] = weakref.WeakSet()

    def __init__(self, service: GrpcService, history: History | None = None) -> None:
        self._service = service
        self._history = history if history is not None else History()
        self._awaiting: deque[bytes] = deque()
        #: Streams that have broken since the latest reply.
        self._breaks = 0
        self._look_until = 0.0
        self.opened = pb.OpenReply()
        #: What the thread of the stream brings.
        self._inbox: Inbox[Event] = Inbox()
        self._stream: Stream | None = None
        self._number = 0
        self._live.add(self)
        service.enter()
        self._join(service.stream())

    def _join(self, stream: Stream) -> None:
        self._stream = stream
        self._inbox.listen_to(stream)
        self._number = stream.add(self._inbox)

    @property
    @override
    def _suspicion(self) -> str:
        return f" from {self._service.address}; is it reachable?"

    @override
    def fileno(self) -> int:
        return self._inbox.fileno()

    @override
    def send(self, request: bytes) -> None:
        self._check_open()
        self._awaiting.append(request)
        # A broken stream shows in its place among the replies. Requests that still
        # await a reply are then sent again.
        self._send(request)

    def _send(self, request: bytes) -> None:
        assert self._stream is not None
        self._stream.send(self._number, request)

    def _check_open(self) -> None:
        if self._inbox.fileno() < 0:
            raise self._gone()

    @override
    def _take_reply(self) -> pb.Reply:
        while True:
            try:
                reply = self._next()
                break
            except _StreamBrokenError as error:
                self._come_back(error.broken)
        self._history.note(self._awaiting.popleft(), reply)
        return reply

    def _next(self) -> pb.Reply:
        """The next reply of the stream, whatever it belongs to."""
        self._check_open()
        if not self._inbox.wait(self.patience):
            raise self.overdue()
        event = self._inbox.take()
        if isinstance(event, bytes):
            self._service.reached = True
            self._breaks = 0
            return pb.Reply.FromString(event)
        if isinstance(event, Broken):
            raise _StreamBrokenError(event)
        assert isinstance(event, Ended)
        self.close()
        raise lost(
            "the session ended without a reply: its process was killed from "
            "outside, by `kill -9` or for want of memory"
        )

    def _come_back(self, broken: Broken) -> None:
        """Do all again on another stream, and ask again what is awaited."""
        if not self._breaks:
            self._look_until = time.monotonic() + self._service.reconnect
        while True:
            error = self._service.explain(broken)
            if not (broken.passing and self._service.reached):
                self.close()
                raise error
            if time.monotonic() > self._look_until:
                self._closed_because = str(error)
                self.close()
                # If decisions were taken, the session is lost. Otherwise, it can be
                # begun again.
                raise lost(str(error)) if self._history.requests else error
            if self._breaks:
                time.sleep(_PAUSES[min(self._breaks, len(_PAUSES)) - 1])
            self._breaks += 1
            try:
                self._replay()
                return
            except _StreamBrokenError as again:
                broken = again.broken

    def _replay(self) -> None:
        self._join(self._service.stream())
        for request in self._history.requests:
            self._send(request)
        for index, request in enumerate(self._history.requests):
            reply = self._next()
            if reply.error.code == pb.NOT_FOUND and self._upload_again():
                self._replay()
                return
            if reply.HasField("error") and reply.error.session_ended:
                self._closed_because = reply.error.message
                self.close()
                raise_for_error(reply)
            last = index + 1 == len(self._history.requests)
            if reply.HasField("open"):
                self.opened = reply.open  # by another process
            wrong = request[:1] == _OPEN and not reply.HasField("open")
            if wrong or (last and not self._history.agrees(reply)):
                self.close()
                raise lost(
                    "the stream broke, and the same requests have led elsewhere: is "
                    f"{self._service.address} another version of the service now?"
                )
        for request in self._awaiting:
            self._send(request)

    def _upload_again(self) -> bool:
        """The server has lost the program; whether it has it again."""
        if self.program is None:
            return False
        with closing(self._service.connect()) as stream:
            request = pb.Request(upload=pb.Upload(program=self.program.bitcode))
            return stream.call(request).HasField("upload")

    @override
    def fork(self) -> GrpcSession:
        reply = self.call(pb.Request(fork=pb.Fork()))
        requests = list(self._history.requests)
        twin = GrpcSession(self._service, replace(self._history, requests=requests))
        twin.opened = self.opened
        twin.program = self.program
        twin.set_deadline(self._deadline_ms)
        twin._attach(reply.fork.token)
        return twin

    def _attach(self, token: bytes) -> None:
        request = pb.Request(attach=pb.Attach(token=token))
        try:
            self._send(request.SerializeToString())
            reply = self._next()
        except _StreamBrokenError as error:
            self._come_back(error.broken)
            return
        if reply.error.code == pb.NOT_FOUND:
            # The stream broke in between, and the copy ended with it.
            self._come_back(Broken("UNAVAILABLE", "the copy was not waited for"))
            return
        try:
            raise_for_error(reply)
        except ServiceError:
            self.close()
            raise

    @override
    def close(self) -> None:
        if not self._inbox.close():
            return
        self._live.discard(self)
        if self._stream is not None:
            self._stream.remove(self._number)
        self._service.leave()

    def __del__(self) -> None:
        # Like a socket, a session ends with the last reference to it.
        if hasattr(self, "_inbox"):
            self.close()

    def _abandon_in_child(self) -> None:
        self._closed_because = "it belongs to the process that forked this one"
        self._inbox.abandon_in_child()
        self._stream = None
        self.close()
