# SPDX-License-Identifier: Apache-2.0
"""One session: its client's requests one way, its process's replies the other."""

from __future__ import annotations

import socket
from collections import deque
from time import perf_counter
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mlcompiler_gym.client.frames import TOO_LARGE
from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.server.hub import Hub
from mlcompiler_gym.server.limits import Account
from mlcompiler_gym.server.process import Process
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Bytes of requests that a client may send ahead, beside a program.
_AHEAD = 1 << 18
#: First byte of a serialised Reply that is an error.
_ERROR = b"\x7a"
#: Codes of errors that are the compiler's, and no mistake of the client's.
_CRASHES = frozenset({pb.CRASHED, pb.OUT_OF_MEMORY, pb.DEADLINE_EXCEEDED})


class _Asked(NamedTuple):
    """A request that has no reply yet."""

    kind: str
    began: float = 0.0
    #: Reply of our own, instead of the process's.
    reply: bytes = b""
    #: The copy's socket (Fork).
    copy: socket.socket | None = None
    #: To be asked again (Open).
    message: bytes = b""


def error_reply(code: pb.ErrorCode, message: str, *, ended: bool = False) -> bytes:
    """A serialised error."""
    error = pb.Error(code=code, message=message, session_ended=ended)
    return pb.Reply(error=error).SerializeToString()


class Channel:
    """A session of a stream. Not for several threads at once.

    ``replies`` are for the client, and to be taken from there; ``over`` says
    that no others will follow.
    """

    def __init__(self, hub: Hub, account: Account) -> None:
        self._hub = hub
        self._account = account
        #: Whether this is one of the account's sessions.
        self._entered = False
        self.process: Process | None = None
        self.replies: list[bytes] = []
        self.over = False
        self._pid = 0
        self._asked: deque[_Asked] = deque()
        #: Requests behind an Open that may have to be repeated.
        self._held: deque[bytes] = deque()
        self._opening = False
        self._finishing = False
        #: The process has said that it ends.
        self._leaving = False
        self._ending = False

    def take(self, message: bytes) -> None:
        """A request of the client's."""
        if self.over or self._ending:
            return
        if self._backlog() > self._account.limits.upload_bytes + _AHEAD:
            self._refuse("the requests are more than can be held back", ended=True)
        elif self._opening:
            self._held.append(message)
        else:
            self._serve(message)

    def _backlog(self) -> int:
        held = sum(map(len, self._held)) if self._held else 0
        return held + (self.process.unsent if self.process is not None else 0)

    def _serve(self, message: bytes) -> None:
        if message == TOO_LARGE:
            most = self._account.limits.upload_bytes
            self._refuse(f"a message may have at most {most} bytes here")
            return
        try:
            request = pb.Request.FromString(message)
        except DecodeError:
            self._answer(
                error_reply(
                    pb.MALFORMED_REQUEST,
                    "these bytes are not a Request of mlcompiler_gym.v1",
                    ended=True,
                ),
                ended=True,
            )
            return
        kind = request.WhichOneof("request") or ""
        if not self._entered and kind != "attach":
            self._entered = self._account.enter()
            if not self._entered:
                self._refuse(self._too_many(), ended=True)
                return
        if objection := self._account.limits.objection(request):
            self._refuse(objection)
        elif kind == "open":
            self._open(request)
        elif kind == "upload":
            self._hub.programs.put(request.upload.program)
            self._hub.metrics.uploads.inc(len(request.upload.program))
            self._forward(kind, message)
        elif kind == "fork":
            self._fork(message)
        elif kind == "attach":
            self._attach(request.attach.token)
        else:
            self._forward(kind, message)

    def _too_many(self) -> str:
        return f"a client may have {self._account.limits.sessions} sessions at once"

    def _open(self, request: pb.Request) -> None:
        # An episode that comes to its end may yet ask what LLVM's own heuristics
        # reach, to be rewarded; that is no episode of its own.
        if self._hub.draining and request.open.task:
            self._refuse("the server is being shut down; there may be another")
            return
        self._account.limits.bound(request.open.limits)
        self._opening = True
        self._forward("open", request.SerializeToString())

    def _fork(self, message: bytes) -> None:
        if not self._account.enter():
            self._refuse(self._too_many())
            return
        ours, theirs = socket.socketpair()
        self._forward("fork", message, ours, theirs)

    def _attach(self, token: bytes) -> None:
        if self.process is not None:
            self._answer(
                error_reply(
                    pb.FAILED_PRECONDITION,
                    "Attach must be the first request of its stream",
                )
            )
            return
        copy = self._hub.copies.take(token, self._account)
        if copy is None:
            reply = error_reply(pb.NOT_FOUND, "no copy waits for this token")
            self._answer(reply)
            return
        self._entered = True  # as the copy was
        self.process = Process(copy.socket)
        self._set_pid(copy.pid)
        self._answer(pb.Reply(attach=pb.AttachReply()).SerializeToString())

    def _refuse(self, why: str, *, ended: bool = False) -> None:
        reply = error_reply(pb.RESOURCE_EXHAUSTED, why, ended=ended)
        self._answer(reply, ended=ended)

    def _answer(self, reply: bytes, *, ended: bool = False) -> None:
        """Reply without asking the process, when it is this request's turn."""
        if reply[:1] == _ERROR:
            code = pb.Reply.FromString(reply).error.code
            self._hub.metrics.errors.labels(pb.ErrorCode.Name(code)).inc()
        self._ending = self._ending or ended
        self._asked.append(_Asked("", reply=reply))
        self._settle()

    def _settle(self) -> None:
        while self._asked and self._asked[0].reply:
            self.replies.append(self._asked.popleft().reply)
        if not self._asked and (self._ending or self._idle_at_end()):
            self._end()

    def _idle_at_end(self) -> bool:
        return self._finishing and self.process is None

    def _forward(
        self,
        kind: str,
        message: bytes,
        copy: socket.socket | None = None,
        theirs: socket.socket | None = None,
    ) -> None:
        if self.process is None:
            try:
                self.process = Process(self._hub.service.connect_socket())
            except (MLCompilerGymError, OSError) as error:
                self._refuse(f"no session can be made: {error}", ended=True)
                return
        self._asked.append(_Asked(kind, perf_counter(), copy=copy, message=message))
        self.process.send(message, theirs)

    def receive(self) -> None:
        """Take what the process has sent."""
        if self.process is None:
            return
        replies = self.process.receive()
        if replies is None:
            self._lost()
            return
        for reply in replies:
            if not self.over:
                self._reply(reply)

    def _reply(self, reply: bytes) -> None:
        if not self._asked:
            self._lost()  # it has gone mad
            return
        asked = self._asked.popleft()
        try:
            if reply[:1] == _ERROR:
                error = pb.Reply.FromString(reply).error
                if asked.kind == "open" and self._upload_again(error, asked):
                    return
                self._count(error)
                self._leaving = error.session_ended
                if asked.copy is not None:
                    asked.copy.close()
                    self._account.leave()
            elif asked.kind == "stored":
                return
            elif asked.kind == "fork":
                reply = self._keep_copy(pb.Reply.FromString(reply), asked)
            elif asked.kind == "open":
                opened = pb.Reply.FromString(reply).open
                self._set_pid(opened.pid)
                source = "parked" if opened.from_parked else "program"
                self._hub.metrics.opened.labels(source).inc()
        except DecodeError:
            self._lost()
            return
        if asked.kind == "step":
            self._hub.metrics.steps.inc()
            self._hub.metrics.step_seconds.observe(perf_counter() - asked.began)
        self._leaving = self._leaving or asked.kind == "close"
        self.replies.append(reply)
        self._settle()
        if asked.kind == "open":
            self._opening = False
            while self._held and not self._opening and not self._ending:
                self._serve(self._held.popleft())
            if self._finishing and not self._held and not self.over:
                self.finish()

    def _upload_again(self, error: pb.Error, asked: _Asked) -> bool:
        if error.code != pb.NOT_FOUND:
            return False
        request = pb.Request.FromString(asked.message)
        program = self._hub.programs.get(request.open.program_sha256)
        if program is None:
            return False
        upload = pb.Request(upload=pb.Upload(program=program))
        # Not to be repeated should it not be found again.
        again = asked._replace(kind="open", message=b"")
        self._asked.extendleft([again, _Asked("stored")])
        assert self.process is not None
        self.process.send(upload.SerializeToString())
        self.process.send(asked.message)
        return True

    def _keep_copy(self, reply: pb.Reply, asked: _Asked) -> bytes:
        assert asked.copy is not None
        pid = reply.fork.pid
        reply.fork.token = self._hub.copies.put(asked.copy, pid, self._account)
        return reply.SerializeToString()

    def _count(self, error: pb.Error) -> None:
        metrics = self._hub.metrics
        code = pb.ErrorCode.Name(error.code)
        metrics.errors.labels(code).inc()
        if error.code in _CRASHES:
            metrics.crashes.labels(error.signal or code).inc()
            self._hub.log.warning(
                "session crashed",
                client=self._account.name,
                pid=self._pid,
                code=code,
                signal=error.signal,
                compiler_pass=getattr(error, "pass"),
                message=error.message,
            )

    def _set_pid(self, pid: int) -> None:
        self._pid = pid
        self._hub.pids.add(pid)

    def _lost(self) -> None:
        """The process has closed its end, or cannot be believed any more."""
        said = self._leaving or (self._finishing and not self._asked)
        if not said:
            self._hub.metrics.crashes.labels("KILLED").inc()
            self._hub.log.warning(
                "session lost", client=self._account.name, pid=self._pid
            )
        self._end()

    def finish(self) -> None:
        """No request will follow: answer what there is, then end."""
        self._finishing = True
        if self._held or self._opening:
            return
        if self.process is None:
            self._settle()
        else:
            self.process.finish()

    def close(self) -> None:
        """End the session now."""
        self._end()

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        for asked in self._asked:
            if asked.copy is not None:
                asked.copy.close()
                self._account.leave()
        self._asked.clear()
        self._held.clear()
        if self.process is not None:
            self.process.close()
        self._hub.pids.discard(self._pid)
        if self._entered:
            self._entered = False
            self._account.leave()
