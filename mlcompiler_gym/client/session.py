# SPDX-License-Identifier: Apache-2.0
"""The protocol as Python calls, whatever transport carries it."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mlcompiler_gym.client.waiting import Work, block
from mlcompiler_gym.errors import (
    DeadlineError,
    ErrorCode,
    InvalidRequestError,
    MLCompilerGymError,
    ProtocolError,
    ServiceError,
    SessionLostError,
)
from mlcompiler_gym.lru import Lru
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

if TYPE_CHECKING:
    from mlcompiler_gym.client.observation import Observed


class Compilable(Protocol):
    """What a session needs to know of a program."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def bitcode(self) -> bytes:
        """LLVM bitcode or textual IR."""

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of the bitcode, 32 bytes."""


def error_of(error: pb.Error) -> ServiceError:
    """What the protocol calls an error, as one that can be raised."""
    return ServiceError.of(
        _code(error.code),
        error.message,
        session_ended=error.session_ended,
        signal=error.signal,
        pass_name=getattr(error, "pass"),
    )


def raise_for_error(reply: pb.Reply) -> None:
    """Raise :class:`ServiceError` if the reply is one."""
    if reply.HasField("error"):
        raise error_of(reply.error)


def _code(number: int) -> ErrorCode:
    # An enum of proto3 may have values that are not in it.
    known = pb.ErrorCode.DESCRIPTOR.values_by_number.get(number)
    return ErrorCode[known.name] if known else ErrorCode.ERROR_CODE_UNSPECIFIED


#: Seconds by which the service may be late with reporting a passed deadline.
GRACE = 30.0

#: How often a stream is begun again that is lost before its first result.
ATTEMPTS = 3


def lost(message: str) -> SessionLostError:
    """The error of a session that ended without saying why."""
    return SessionLostError(ErrorCode.SESSION_LOST, message, session_ended=True)


class Session(abc.ABC):
    """One compile, stopped at a decision or at its end.

    A transport implements the abstract methods. Requests are answered one by
    one, in order; :meth:`send` and :meth:`receive` apart let one thread keep
    many sessions busy.
    """

    #: Why there is no session any more, once that is known.
    _closed_because = ""
    _deadline_ms = 0
    #: Reply of the ``Open`` that began this session (of its original, if forked).
    opened: pb.OpenReply
    #: What is compiled, for transports that may have to upload it again.
    program: Compilable | None = None

    @abc.abstractmethod
    def send(self, request: bytes) -> None:
        """Send a serialised ``Request``."""

    @abc.abstractmethod
    def _take_reply(self) -> pb.Reply:
        """Wait for the next reply, whatever it is."""

    def receive(self) -> pb.Reply:
        """Wait for the next reply.

        Raises:
            ServiceError: The reply is an error, or the session ended without.
        """
        try:
            reply = self._take_reply()
        except MLCompilerGymError:
            raise
        except BaseException:
            # This may be Ctrl-C. The next reply would be taken for the reply to another
            # request.
            self._closed_because = "a call was interrupted"
            self.close()
            raise
        if reply.HasField("error"):
            if reply.error.session_ended:
                self._closed_because = reply.error.message
                self.close()
            raise_for_error(reply)
        return reply

    def _gone(self) -> SessionLostError:
        why = self._closed_because or "it was closed"
        return lost(f"the session is gone: {why}; reset to get another")

    def set_deadline(self, milliseconds: int) -> None:
        """How long the service may take for a request; 0: as long as it likes.

        The service enforces deadlines itself. This is for one that cannot, so
        that ``receive`` does not wait for ever.
        """
        self._deadline_ms = milliseconds

    @property
    def patience(self) -> float | None:
        """Seconds after which a request is :meth:`overdue`; None: never."""
        return self._deadline_ms / 1000 + GRACE if self._deadline_ms else None

    @property
    @abc.abstractmethod
    def _suspicion(self) -> str:
        """Why there may be no reply, as the end of a sentence."""

    def overdue(self) -> DeadlineError:
        """Give up on a reply that does not come. Ends the session.

        Returns:
            The error that :meth:`receive` raises in such a case.
        """
        self.close()
        return DeadlineError(
            ErrorCode.DEADLINE_EXCEEDED,
            f"no reply {GRACE:.0f} s after the deadline of {self._deadline_ms} ms"
            + self._suspicion,
            session_ended=True,
        )

    @abc.abstractmethod
    def fileno(self) -> int:
        """Descriptor that becomes readable when a reply arrives."""

    @abc.abstractmethod
    def fork(self) -> Session:
        """Copy the session where it stands; the two are independent then."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the session. Idempotent."""

    @property
    def closed(self) -> bool:
        """Whether the session has ended, by :meth:`close` or by an error."""
        return self.fileno() < 0

    def call(self, request: pb.Request) -> pb.Reply:
        """Send a request and wait for its reply."""
        self.send(request.SerializeToString())
        return self.receive()

    def step(self, actions: bytes) -> pb.State:
        """Answer one or several decisions; actions as the action spec lays out."""
        return self.call(pb.Request(step=pb.Step(actions=actions))).step

    def observe(self, *names: str) -> dict[str, Observed]:
        """Compute observations, by name."""
        # NumPy takes longer to import than a small unit takes to compile.
        from mlcompiler_gym.client.observation import decode

        reply = self.call(pb.Request(observe=pb.Observe(names=names)))
        return {o.name: decode(o) for o in reply.observe.observations}

    def measure(self, objectives: Sequence[str]) -> dict[str, float]:
        """Measure the module as it stands, by objective."""
        reply = self.call(pb.Request(measure=pb.Measure(objectives=objectives)))
        return {m.objective: m.value for m in reply.measure.measurements}

    def emit(self, kind: str = "object") -> bytes:
        """Write out the module as it stands: bitcode, assembly or object."""
        return block(self.emitting(kind))

    def emitting(self, kind: str) -> Work[bytes]:
        """:meth:`emit` as work, for callers that cannot wait."""
        kinds = [name.lower() for name in pb.Emit.Format.keys()[1:]]
        if kind not in kinds:
            raise ValueError(f"unknown format {kind!r}; known: {', '.join(kinds)}")
        request = pb.Request(emit=pb.Emit(format=kind.upper()))
        reply = yield self, (request.SerializeToString(),)
        return reply.emit.data


def opening(service: Service, request: pb.Open, program: Compilable) -> Work[Session]:
    """Begin a compile of ``program`` and run to its first decision.

    ``request.program_sha256`` is filled in; the program is uploaded if the service
    does not hold it.

    Raises:
        ServiceError: The session cannot be opened.
    """
    request.program_sha256 = program.sha256
    message = pb.Request(open=request).SerializeToString()
    attempt = 0
    while True:
        attempt += 1
        session = service.connect()
        session.program = program
        session.set_deadline(request.limits.deadline_ms)
        try:
            reply = yield from _open_or_upload(session, message, program)
        except ServiceError as error:
            session.close()
            if not isinstance(error, SessionLostError):
                error.message = f"{program.name}: {error.message}"
                raise
            # A parked session or the service itself was killed between the request and
            # its reply. Nothing has been decided yet, so the session is asked for
            # again.
            if attempt == ATTEMPTS:
                raise service.explain_loss(error) from error
        except BaseException:
            session.close()
            raise
        else:
            session.opened = reply.open
            return session


def _open_or_upload(
    session: Session, message: bytes, program: Compilable
) -> Work[pb.Reply]:
    try:
        return (yield session, (message,))
    except ServiceError as error:
        if error.code != ErrorCode.NOT_FOUND:
            raise
    upload = pb.Request(upload=pb.Upload(program=program.bitcode))
    yield session, (upload.SerializeToString(), message)
    return (yield session, ())


def _bytes_of_names(names: Sequence[str]) -> int:
    return sum(map(len, names))


class Service(abc.ABC):
    """Where sessions come from."""

    def __init__(self) -> None:
        #: Measured values of LLVM's own compile, by everything they depend on.
        self.baselines: Lru[Any] = Lru(4096, 64 << 20, lambda each: each.size)
        #: Functions that decisions come up in, by what that depends on.
        self.functions: Lru[list[str]] = Lru(4096, 64 << 20, _bytes_of_names)
        self._descriptions: Lru[pb.DescribeReply] = Lru(256)

    @abc.abstractmethod
    def connect(self) -> Session:
        """A new stream to the service, nothing asked for yet."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop the service. Its sessions go on until they are closed."""

    def describe(self) -> pb.DescribeReply:
        """Tasks, objectives, observations and versions."""
        return self._describe(pb.Describe())

    def describe_task(self, name: str, options: Mapping[str, str]) -> pb.TaskSpec:
        """What a task is with some options.

        Raises:
            ValueError: There is no such task or option.
        """
        request = pb.Describe(task=name)
        for option in sorted(options):
            request.options.add(name=option, value=options[option])
        try:
            return self._describe(request).tasks[0]
        except InvalidRequestError as error:
            raise ValueError(error.message) from error

    def _describe(self, request: pb.Describe) -> pb.DescribeReply:
        key = request.SerializeToString(deterministic=True)
        if (known := self._descriptions.get(key)) is not None:
            return known
        attempt = 0
        while True:
            attempt += 1
            stream = self.connect()
            try:
                found = stream.call(pb.Request(describe=request)).describe
                self._check_protocol(found)
            except SessionLostError as error:
                if attempt == ATTEMPTS:
                    raise self.explain_loss(error) from error
            else:
                self._descriptions.put(key, found)
                return found
            finally:
                stream.close()

    @property
    @abc.abstractmethod
    def where(self) -> str:
        """What and where the service is, for messages."""

    def _check_protocol(self, reply: pb.DescribeReply) -> None:
        if reply.protocol == pb.PROTOCOL_CURRENT:
            return
        theirs = reply.version or "unknown"
        raise ProtocolError(
            f"{self.where} is mlcompiler_gym {theirs} and speaks version "
            f"{reply.protocol} of the protocol; this is a client of version "
            f"{pb.PROTOCOL_CURRENT}. Install the same mlcompiler_gym at both ends: "
            f"here `pip install mlcompiler_gym=={theirs}`, or this client's there"
        )

    def explain_loss(self, error: SessionLostError) -> Exception:
        """What to raise when streams are lost as soon as they are begun."""
        return error

    def open(self, request: pb.Open, program: Compilable) -> Session:
        """Begin a compile of ``program`` and run to its first decision.

        ``request.program_sha256`` is filled in; the program is uploaded if the
        service does not hold it.

        Raises:
            ServiceError: The session cannot be opened.
        """
        return block(opening(self, request, program))
