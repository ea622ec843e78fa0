# SPDX-License-Identifier: Apache-2.0
"""One session: its client's requests one way, its process's replies the other."""

from __future__ import annotations

import os
import socket
from collections import deque
from time import perf_counter
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mlcompiler_gym.client.frames import ENTRY, TOO_LARGE
from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.server.hub import Hub
from mlcompiler_gym.server.limits import Account, Share
from mlcompiler_gym.server.process import CHUNK, Process, TooLarge
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Seconds by which a reply may be late before the process is taken for stuck.
LATE = 5.0
#: Copies of a session that compute at the same time, at most, as in Copies.cpp.
MOST_COPIES = 32
#: First byte of a serialised Reply that is an error.
_ERROR = b"\x7a"
#: Codes of errors that are the compiler's, and no mistake of the client's.
_CRASHES = frozenset({pb.CRASHED, pb.OUT_OF_MEMORY, pb.DEADLINE_EXCEEDED})


class _Asked(NamedTuple):
    """A request that has no reply yet."""

    kind: str
    began: float = 0.0
    #: Milliseconds that it may take; 0: the session's own deadline.
    deadline_ms: int = 0
    #: Bytes that it takes of what the client's requests may have.
    size: int = 0
    #: Reply of our own, instead of the process's.
    reply: bytes = b""
    #: The copy's socket (Fork).
    copy: socket.socket | None = None
    #: How many copies there may be meanwhile (Explore).
    copies: int = 0
    #: To be asked again (Open).
    message: bytes = b""


def error_reply(code: pb.ErrorCode, message: str, *, ended: bool = False) -> bytes:
    """A serialised error."""
    error = pb.Error(code=code, message=message, session_ended=ended)
    return pb.Reply(error=error).SerializeToString()


class RelayedSession:
    """A session of a stream. Not for several threads at once.

    ``replies`` are for the client, and to be taken from there; ``over`` says
    that no others will follow.
    """

    def __init__(self, hub: Hub, account: Account) -> None:
        self._hub = hub
        self._account = account
        #: Whether this is one of the account's sessions.
        self._entered = False
        #: Whether it has been asked for anything except a copy that was not there.
        self._begun = False
        self.process: Process | None = None
        self.replies: list[bytes] = []
        self.over = False
        self._pid = 0
        self._deadline_ms = account.limits.deadline_ms
        self._asked: deque[_Asked] = deque()
        #: When the first request of the queue became the first.
        self._first_since = 0.0
        #: Requests behind an Open that may have to be repeated.
        self._held: deque[bytes] = deque()
        self._requests = Share(account.requests)
        self._room = Share(account.replies)
        self._opening = False
        self._finishing = False
        #: The process has said that it ends.
        self._leaving = False
        self._ending = False

    def take(self, message: bytes) -> None:
        """A request of the client's."""
        if self.over or self._ending:
            return
        if not self._requests.take(len(message) + ENTRY):
            # The error is sent at once, and not in this request's turn.
            self._end_with(
                pb.RESOURCE_EXHAUSTED,
                "requests without a reply may have "
                f"{self._account.requests.most} bytes together, {ENTRY} more for each; "
                "wait for some of the replies",
            )
        elif self._opening:
            self._held.append(message)
        else:
            self._serve(message)

    def _serve(self, message: bytes) -> None:
        size = len(message) + ENTRY
        if message == TOO_LARGE:
            most = self._account.limits.upload_bytes
            self._refuse(f"a message may have at most {most} bytes here", size=size)
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
                size=size,
                ended=True,
            )
            return
        kind = request.WhichOneof("request") or ""
        if kind == "attach":
            self._attach(request.attach.token, size)
            return
        self._begun = True
        if not self._enter():
            return
        asked = _Asked(kind, perf_counter(), request.deadline_ms, size)
        if objection := self._account.limits.objection(request):
            self._refuse(objection, size=size)
        elif kind == "open":
            self._open(request, asked)
        elif kind == "upload" and not self._pid:  # an open session has its program
            self._upload(request.upload.program, size)
        elif kind == "fork":
            self._fork(message, asked)
        elif kind == "explore":
            self._copy(request, request.explore, asked)
        elif kind == "play" and request.play.episodes:
            self._copy(request, request.play, asked)
        else:
            self._forward(asked, message)

    def _enter(self) -> bool:
        """Be one of the account's sessions, if there may be one more."""
        if not self._entered:
            self._entered = self._account.enter()
            if not self._entered:
                self._refuse(self._too_many(), ended=True)
        return self._entered

    def _too_many(self) -> str:
        return f"a client may have {self._account.limits.sessions} sessions at once"

    def _upload(self, program: bytes, size: int) -> None:
        most = self._account.limits.upload_bytes
        if len(program) > most:
            self._refuse(
                f"a program of {len(program)} bytes is more than the {most} that this "
                "server takes",
                size=size,
            )
            return
        try:
            sha256 = self._hub.programs.put(self._account.name, program)
        except OSError as error:
            why = error.strerror or str(error)
            self._hub.log.warning(
                "program not stored", client=self._account.label, reason=str(error)
            )
            self._refuse(f"the program cannot be stored: {why}", size=size)
            return
        self._hub.metrics.uploads.inc(len(program))
        reply = pb.Reply(upload=pb.UploadReply(sha256=sha256))
        self._answer(reply.SerializeToString(), size=size)

    def _open(self, request: pb.Request, asked: _Asked) -> None:
        # An episode that comes to its end may yet ask what LLVM's own heuristics
        # reach, to be rewarded; that is no episode of its own.
        if self._hub.draining and request.open.task:
            why = "the server is being shut down; there may be another"
            self._refuse(why, size=asked.size)
            return
        wanted = request.open
        if not self._hub.programs.has(self._account.name, wanted.program_sha256):
            # Another client's program is no different from one that is not stored.
            reply = error_reply(
                pb.NOT_FOUND,
                f"no program with SHA-256 {wanted.program_sha256.hex()} is stored "
                "here; upload it, then open again",
            )
            self._answer(reply, size=asked.size)
            return
        self._account.limits.bound(wanted.limits)
        self._deadline_ms = wanted.limits.deadline_ms
        wanted.park = wanted.park and self._hub.parking.park(
            wanted.SerializeToString(),
            self._account.name,
            self._account.limits.sessions,
            self._hub.accounts.clients,
        )
        self._opening = True
        message = request.SerializeToString()
        self._forward(asked._replace(message=message), message)

    def _fork(self, message: bytes, asked: _Asked) -> None:
        if not self._account.enter():
            self._refuse(self._too_many(), size=asked.size)
            return
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._account.leave()
            self._refuse(f"the session cannot be copied: {error}", size=asked.size)
            return
        self._forward(asked._replace(copy=ours), message, theirs)

    def _copy(
        self, request: pb.Request, copying: pb.Explore | pb.Play, asked: _Asked
    ) -> None:
        # Copies are processes of the client's, as long as they are there.
        wanted = copying.parallel or len(os.sched_getaffinity(0))
        copies = self._account.sessions.take_some(min(wanted, MOST_COPIES))
        if not copies:
            self._refuse(self._too_many(), size=asked.size)
            return
        copying.parallel = copies
        self._forward(asked._replace(copies=copies), request.SerializeToString())

    def _attach(self, token: bytes, size: int) -> None:
        if self._begun:
            self._answer(
                error_reply(
                    pb.FAILED_PRECONDITION,
                    "Attach must be the first request of its stream",
                ),
                size=size,
            )
            return
        copy = self._hub.copies.take(token, self._account)
        if copy is None:
            if self._enter():
                reply = error_reply(pb.NOT_FOUND, "no copy waits for this token")
                self._answer(reply, size=size)
            return
        self._begun = True
        if self._entered:
            self._account.leave()
        self._entered = True  # as the copy was
        self.process = Process(copy.socket, self._room)
        self._deadline_ms = copy.deadline_ms
        self._pid = copy.pid
        reply = pb.Reply(attach=pb.AttachReply()).SerializeToString()
        self._answer(reply, size=size)

    def _refuse(self, why: str, *, size: int = 0, ended: bool = False) -> None:
        reply = error_reply(pb.RESOURCE_EXHAUSTED, why, ended=ended)
        self._answer(reply, size=size, ended=ended)

    def _answer(self, reply: bytes, *, size: int, ended: bool = False) -> None:
        """Reply without asking the process, when it is this request's turn."""
        if reply[:1] == _ERROR:
            code = pb.Reply.FromString(reply).error.code
            self._hub.metrics.errors.labels(pb.ErrorCode.Name(code)).inc()
        self._ending = self._ending or ended
        self._ask(_Asked("", size=size, reply=reply))
        self._settle()

    def _ask(self, asked: _Asked) -> None:
        if not self._asked:
            self._first_since = perf_counter()
        self._asked.append(asked)

    def _answered(self) -> _Asked:
        """The first request, which has its reply now."""
        asked = self._asked.popleft()
        self._first_since = perf_counter()
        self._requests.give(asked.size)
        return asked

    def _settle(self) -> None:
        while self._asked and self._asked[0].reply:
            self.replies.append(self._answered().reply)
        if not self._asked and (self._ending or self._idle_at_end()):
            self._end()

    def _idle_at_end(self) -> bool:
        return self._finishing and self.process is None

    def _forward(
        self, asked: _Asked, message: bytes, theirs: socket.socket | None = None
    ) -> None:
        if self.process is None:
            try:
                sock = self._hub.service.connect_socket(wait=False)
            except (MLCompilerGymError, OSError) as error:
                self._opening = False
                if theirs is not None:
                    theirs.close()
                self._drop_copy(asked)
                self._account.leave(asked.copies)
                self._refuse(
                    f"no session can be made: {error}", size=asked.size, ended=True
                )
                return
            self.process = Process(sock, self._room)
        self._ask(asked)
        self.process.send(message, theirs)

    def expire(self) -> None:
        """End the session if its process is so late that it must be stuck."""
        if not self._asked or self._asked[0].reply or self.over:
            return
        if self.process is None or self.process.has_answered():
            return  # it is the client that does not take what there is
        first = self._asked[0]
        milliseconds = first.deadline_ms or self._deadline_ms
        # It may first have waited for another that opens the same.
        turns = 2 if first.kind == "open" else 1
        if perf_counter() < self._first_since + turns * milliseconds / 1000 + LATE:
            return
        self._hub.metrics.crashes.labels("STUCK").inc()
        self._hub.log.warning(
            "session stuck", client=self._account.label, pid=self._pid
        )
        self._end_with(
            pb.DEADLINE_EXCEEDED,
            f"{milliseconds} ms passed, and the process did not say so itself: it was "
            "stopped from outside, or waits for a process that was; it is killed",
        )

    def _end_with(self, code: pb.ErrorCode, why: str) -> None:
        """Answer the request that has waited longest, and end the process."""
        self._hub.metrics.errors.labels(pb.ErrorCode.Name(code)).inc()
        self.replies.append(error_reply(code, why, ended=True))
        self._end(kill=True)

    def receive(self) -> None:
        """Take what the process has sent."""
        if self.process is None:
            return
        replies = self.process.receive()
        if replies is None:
            self._lost()
            return
        for reply in replies:
            if isinstance(reply, TooLarge):
                reply = error_reply(
                    pb.RESOURCE_EXHAUSTED,
                    f"the reply has {reply.decode()} bytes, more than the "
                    f"{self._room.most} that this server passes on",
                )
            if not self.over:
                self._reply(reply)
            else:
                self.sent(reply)

    def _reply(self, reply: bytes) -> None:
        if not self._asked:
            self.sent(reply)
            self._lost()  # a reply without a request
            return
        asked = self._answered()
        self._account.leave(asked.copies)
        try:
            if reply[:1] == _ERROR:
                error = pb.Reply.FromString(reply).error
                if asked.kind == "open" and self._upload_again(error, asked):
                    return
                self._count(error)
                self._leaving = error.session_ended
                self._drop_copy(asked)
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
            self.sent(reply)
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
        program = self._hub.programs.get(
            self._account.name, request.open.program_sha256
        )
        if program is None:
            return False
        upload = pb.Request(upload=pb.Upload(program=program))
        # If the program is missing again, the request is not repeated.
        again = asked._replace(message=b"", size=0)
        self._asked.extendleft([again, _Asked("stored")])
        assert self.process is not None
        self.process.send(upload.SerializeToString())
        self.process.send(asked.message)
        return True

    def _keep_copy(self, reply: pb.Reply, asked: _Asked) -> bytes:
        assert asked.copy is not None
        pid = reply.fork.pid
        self._hub.pids.add(pid)
        reply.fork.token = self._hub.copies.put(
            asked.copy, pid, self._account, self._deadline_ms
        )
        return reply.SerializeToString()

    def _drop_copy(self, asked: _Asked) -> None:
        """There is none, or no client will hear of it."""
        if asked.copy is not None:
            asked.copy.close()
            self._account.leave()

    def _count(self, error: pb.Error) -> None:
        metrics = self._hub.metrics
        code = pb.ErrorCode.Name(error.code)
        metrics.errors.labels(code).inc()
        if error.code in _CRASHES:
            metrics.crashes.labels(error.signal or code).inc()
            self._hub.log.warning(
                "session crashed",
                client=self._account.label,
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
                "session lost", client=self._account.label, pid=self._pid
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

    def drop_replies(self) -> None:
        """No client will take them."""
        for reply in self.replies:
            self.sent(reply)
        self.replies.clear()

    def sent(self, reply: bytes) -> None:
        """A reply is on its way, and not kept here any more."""
        if len(reply) > CHUNK:
            self._room.give(len(reply))

    def _end(self, *, kill: bool = False) -> None:
        if self.over:
            return
        self.over = True
        copies = 0
        for asked in self._asked:
            self._drop_copy(asked)
            copies += asked.copies
        self._asked.clear()
        self._held.clear()
        self._requests.close()
        if self.process is not None:
            sock = self.process.release()
            self._hub.endings.add(
                sock, self._pid, self._account, copies=copies, kill=kill
            )
        elif self._entered:
            self._account.leave(1 + copies)
        self._entered = False
