# SPDX-License-Identifier: Apache-2.0
"""The compiler service of another machine, over gRPC."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import Any, ClassVar

import grpc
from typing_extensions import override

from mlcompiler_gym.client.address import Address
from mlcompiler_gym.client.remote_session import GrpcSession
from mlcompiler_gym.client.remote_stream import (
    Broken,
    SharedStream,
    SingleStream,
    Stream,
)
from mlcompiler_gym.client.session import Service
from mlcompiler_gym.errors import (
    ErrorCode,
    MLCompilerGymError,
    ServiceLimitError,
    ServiceUnavailableError,
)

_OPTIONS = (
    # A server that has been restarted must be found at once, even by a client that
    # looks for it no longer than `reconnect=0.5` says.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 200),
    # A server that has gone without a word is noticed a little later.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Two services of one process are two clients, with a connection each.
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcService(Service):
    """A server that ``mlcompiler-gym serve`` runs.

    Its sessions are those of a local service: the same messages, the same
    environments. One connection and, unless told otherwise, one stream carry
    them all, so that a vector environment's step costs one round trip.
    """

    _shared: ClassVar[dict[Address, GrpcService]] = {}
    #: Services of this process, to be made usable in a forked child.
    _live: ClassVar[weakref.WeakSet[GrpcService]] = weakref.WeakSet()

    def __init__(
        self,
        address: str | Address,
        *,
        credentials: str | os.PathLike[str] | None = None,
        reconnect: float = 30.0,
        stream_per_session: bool = False,
    ) -> None:
        """Nothing is connected before it is needed.

        Args:
            address: ``grpc://host:port``, or ``grpcs://host:port`` for TLS.
            credentials: Folder with ``ca.pem`` and ``token``. ``None``: the one
                that ``MLCOMPILER_GYM_CREDENTIALS`` names, if any.
            reconnect: Seconds to look for a server that was there before.
            stream_per_session: A stream for each session, as
                ``CompilerService.Session`` of the protocol. Slower, where there
                are many.
        """
        super().__init__()
        if isinstance(address, str):
            address = Address.parse(address, credentials)
        self.address = address
        self.reconnect = reconnect
        #: Whether the server has ever answered.
        self.reached = False
        self._stream_per_session = stream_per_session
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._stream: Stream | None = None
        self._sessions = 0
        self._closed = False
        self._live.add(self)

    @classmethod
    def shared(cls, url: str) -> GrpcService:
        """The service that environments made with ``service=url`` use."""
        address = Address.parse(url)
        if address not in cls._shared:
            cls._shared[address] = cls(address)
            atexit.register(cls._shared[address].close)
        return cls._shared[address]

    def __deepcopy__(self, memo: object) -> GrpcService:
        # Gymnasium copies the arguments of make(); a service is not data.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        settings = (self.reconnect, self._stream_per_session)
        return (_restore, (self.address, *settings))

    def stream(self) -> Stream:
        """The stream that the next session shall use."""
        with self._lock:
            self._closed = False
            if self._channel is None:
                self._channel = self._connect()
            token = self.address.token()
            metadata = [("authorization", f"Bearer {token}")] if token else []
            if self._stream_per_session:
                return SingleStream(self._channel, metadata)
            if self._stream is None or self._stream.broken is not None:
                self._stream = SharedStream(self._channel, metadata)
            return self._stream

    def _connect(self) -> grpc.Channel:
        if not self.address.secure:
            return grpc.insecure_channel(self.address.target, _OPTIONS)
        certificate = self.address.certificate()
        credentials = grpc.ssl_channel_credentials(certificate)
        return grpc.secure_channel(self.address.target, credentials, _OPTIONS)

    @override
    def connect(self) -> GrpcSession:
        return GrpcSession(self)

    @property
    @override
    def where(self) -> str:
        return f"the server at {self.address}"

    def explain(self, broken: Broken) -> MLCompilerGymError:
        """What to raise if a broken stream is the end of it."""
        if broken.status == "RESOURCE_EXHAUSTED":
            return ServiceLimitError(
                ErrorCode.RESOURCE_EXHAUSTED,
                f"{self.address}: {broken.details}",
                session_ended=True,
            )
        if broken.status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            return ServiceUnavailableError(
                f"{self.address} does not let us in: {broken.details}; pass the "
                "folder that `mlcompiler-gym serve-credentials` wrote as "
                "credentials=, or name it by MLCOMPILER_GYM_CREDENTIALS"
            )
        if not broken.passing:
            return ServiceUnavailableError(
                f"{self.address} is not a server of mlcompiler_gym: {broken.status}: "
                f"{broken.details}"
            )
        return ServiceUnavailableError(
            f"{self.address} cannot be reached: {broken.details}; is "
            "`mlcompiler-gym serve` running there?"
            f"{self.address.doubt(broken.details)}"
        )

    def enter(self) -> None:
        """Another session has begun."""
        with self._lock:
            self._sessions += 1

    def leave(self) -> None:
        """A session has ended."""
        with self._lock:
            self._sessions -= 1
        if self._closed:
            self.close()

    @override
    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._sessions:
                return
            stream, self._stream = self._stream, None
            channel, self._channel = self._channel, None
        if stream is not None:
            stream.cancel()
        if channel is not None:
            channel.close()

    def _abandon_in_child(self) -> None:
        # The threads that serve the connection do not exist here, and to close
        # it would wait for them.
        self._abandoned = (self._channel, self._stream)
        self._lock = threading.Lock()
        self._channel = self._stream = None


def _restore(
    address: Address, reconnect: float, stream_per_session: bool
) -> GrpcService:
    """A pickled service, in the process that it has come to."""
    return GrpcService(
        address, reconnect=reconnect, stream_per_session=stream_per_session
    )


def _after_fork_in_child() -> None:
    # Another thread may have held a lock, and does not exist here.
    for service in GrpcService._live:
        service._abandon_in_child()
    for session in list(GrpcSession._live):
        session._abandon_in_child()
    GrpcSession._live.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
