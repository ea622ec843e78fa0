# SPDX-License-Identifier: Apache-2.0
"""The gRPC server: what ``mlcompiler-gym serve`` runs."""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from mlcompiler_gym.client.address import is_loopback
from mlcompiler_gym.client.local import LocalService
from mlcompiler_gym.errors import ServiceUnavailableError
from mlcompiler_gym.server import auth
from mlcompiler_gym.server.hub import Hub
from mlcompiler_gym.server.limits import Accounts, Limits
from mlcompiler_gym.server.log import make_log
from mlcompiler_gym.server.nursery import Nursery
from mlcompiler_gym.server.parking import PARKED
from mlcompiler_gym.server.programs import ProgramFolder
from mlcompiler_gym.server.sessions import RELAY, SERVICE, Sessions
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_SLACK = 4 << 20
#: Seconds between looks at what is late.
_PERIOD = 0.5


@dataclass(frozen=True)
class Config:
    """How to serve.

    Attributes:
        host: Address to listen on. Any but loopback needs ``credentials`` or
            ``insecure``.
        port: 0: any that is free; ``Server.port`` says which.
        credentials: Folder of certificate, key and tokens.
        insecure: Speak in the clear with everybody.
        sandbox: ``"require"``: do not serve unless session processes are confined.
            ``"auto"``: confine them as far as the kernel can. ``"off"``: do not.
            ``None``: ``"require"`` where other machines can reach ``host``, and
            ``"auto"`` otherwise.
        limits: The limits of each client.
        programs: Folder to keep programs in. ``None``: one that goes with the
            server.
        program_bytes: Size of all programs there.
        program_count: Number of programs there.
        metrics_port: For Prometheus, over HTTP; ``None``: none. 0: any.
        health_port: A second port, in the clear, for nothing but health checks.
        streams: gRPC streams at once; each takes two threads.
        grace: Seconds that sessions may go on when the server is to end.
    """

    host: str = "127.0.0.1"
    port: int = 0
    credentials: Path | None = None
    insecure: bool = False
    sandbox: str | None = None
    limits: Limits = field(default_factory=Limits)
    programs: Path | None = None
    program_bytes: int = 4 << 30
    program_count: int = 100_000
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    health_port: int | None = None
    streams: int = 1024
    grace: float = 30.0
    json_logs: bool = True
    log_level: str = "info"

    @property
    def sandbox_mode(self) -> str:
        """What ``sandbox`` comes to."""
        return self.sandbox or ("auto" if is_loopback(self.host) else "require")

    @property
    def shares_code(self) -> bool:
        """Whether sessions find the code that others have generated.

        A session that a program has taken over could tell others what is not true, so
        clients must be able to trust each other.
        """
        return is_loopback(self.host) and self.credentials is None

    def check(self) -> None:
        """Refuse to be open to the world by accident.

        Raises:
            ServiceUnavailableError: It would be.
        """
        if not (is_loopback(self.host) or self.credentials or self.insecure):
            raise ServiceUnavailableError(
                f"{self.host} can be reached from other machines, and a server "
                "compiles whatever it is sent: make a certificate and a token with "
                "`mlcompiler-gym serve-credentials DIR` and pass --credentials DIR, "
                "or say --insecure"
            )


class Server:
    """A running server, with a compiler service of its own."""

    def __init__(self, config: Config) -> None:
        config.check()
        _raise_descriptor_limit()
        self._config = config
        # Before anything is started that would have to be ended again.
        folder = config.credentials
        self._tokens = auth.read_tokens(folder) if folder else []
        self._tls = auth.server_credentials(folder) if folder else None
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="mlcompiler-gym-")
            if config.programs is None
            else None
        )
        programs = Path(self._temporary.name) if self._temporary else config.programs
        assert programs is not None
        self.hub = Hub(
            # What LLVM prints about a program would end up in our log.
            service=LocalService(
                f"--sandbox={config.sandbox_mode}",
                "--quiet-sessions",
                f"--parked-sessions={PARKED}",
                *([] if config.shares_code else ["--code-cache-bytes=0"]),
            ),
            programs=ProgramFolder(
                programs, config.program_bytes, config.program_count
            ),
            limits=config.limits,
            accounts=Accounts(config.limits),
            log=make_log(json=config.json_logs, level=config.log_level),
        )
        self._health = health.HealthServicer()
        self._hurry = threading.Event()
        self._stopped = threading.Event()
        self._closing = threading.Event()
        self._description = self.hub.service.describe()
        self._server = self._make_server()
        self.port = self._listen(self._server, config.host, config.port, secure=True)
        self._health_server, self.health_port = self._serve_health()
        self.metrics_port, self._metrics = self._serve_metrics()
        self._nursery = Nursery(self.hub.service)
        self._server.start()
        self._set_health(health_pb2.HealthCheckResponse.SERVING)
        self._housekeeper = threading.Thread(target=self._keep_house, daemon=True)
        self._housekeeper.start()
        self.hub.log.info(
            "serving",
            host=config.host,
            port=self.port,
            tls=config.credentials is not None,
            metrics_port=self.metrics_port,
            health_port=self.health_port,
            service_version=self._description.version,
            llvm_version=self._description.llvm_version,
            programs=str(programs),
            sandbox=sandbox_in_force(self._description),
        )
        missing = list(self._description.sandbox.missing)
        if missing:
            self.hub.log.warning("not all of the sandbox is in force", missing=missing)
        if config.insecure and not is_loopback(config.host):
            self.hub.log.warning(
                "insecure: anybody who reaches this port can compile what they like, "
                "and read what others compile"
            )

    def _make_server(self) -> grpc.Server:
        config = self._config
        interceptors: list[Any] = []
        by_token = self._tls is not None
        if by_token:
            interceptors.append(auth.RequireToken(self._tokens))
        server = grpc.server(
            # Eight threads are left for health checks and reflection when all streams
            # are in use.
            ThreadPoolExecutor(config.streams + 8, thread_name_prefix="stream"),
            interceptors=interceptors,
            maximum_concurrent_rpcs=config.streams + 8,
            options=[
                (
                    "grpc.max_receive_message_length",
                    config.limits.upload_bytes + _SLACK,
                ),
                ("grpc.max_send_message_length", -1),
                # Two servers on one port would each get half of the clients.
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
                ("grpc.http2.max_ping_strikes", 0),
                # gRPC keeps what a stream sends before it is read. By itself, it would
                # let each stream have as much as the connection carries at a time.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", 1 << 18),
                ("grpc.max_connection_idle_ms", 300_000),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 20_000),
            ],
        )
        server.add_generic_rpc_handlers((Sessions(self.hub, by_token=by_token),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        # Both are in the pool of descriptors once their modules are imported.
        names = (SERVICE, RELAY, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        return server

    def _listen(
        self, server: grpc.Server, host: str, port: int, *, secure: bool
    ) -> int:
        target = f"{f'[{host}]' if ':' in host else host}:{port}"
        try:
            if self._tls is None or not secure:
                bound = server.add_insecure_port(target)
            else:
                bound = server.add_secure_port(target, self._tls)
        except RuntimeError as error:
            bound, why = 0, str(error)
        else:
            why = "it is taken"
        if not bound:
            self.hub.service.close()
            raise ServiceUnavailableError(f"cannot listen on {target}: {why}")
        return int(bound)

    def _serve_health(self) -> tuple[grpc.Server | None, int | None]:
        port = self._config.health_port
        if port is None:
            return None, None
        server = grpc.server(ThreadPoolExecutor(2))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        bound = self._listen(server, self._config.host, port, secure=False)
        server.start()
        return server, bound

    def _serve_metrics(self) -> tuple[int | None, Any]:
        hub = self.hub
        hub.metrics.watch(
            sessions=hub.accounts.sessions,
            parked=hub.parked,
            streams=lambda: len(hub.relays),
            program_bytes=lambda: hub.programs.size,
        )
        if self._config.metrics_port is None:
            return None, None
        server, _ = start_http_server(
            self._config.metrics_port,
            addr=self._config.metrics_host,
            registry=hub.metrics.registry,
        )
        return int(server.server_port), server

    def _set_health(self, status: Any) -> None:
        for name in ("", SERVICE, RELAY):
            self._health.set(name, status)

    def _keep_house(self) -> None:
        while not self._closing.is_set():
            self.hub.look_around(_PERIOD)
            before = self._nursery.answers
            if self._nursery.ask() == before or self.hub.draining:
                continue
            if before:
                self.hub.log.error("the compiler service does not answer")
                self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
            else:
                self.hub.log.info("the compiler service answers again")
                self._set_health(health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float | None = None) -> None:
        """Begin no further session, wait for the running ones, and end.

        Args:
            grace: Seconds to wait; ``None``: as configured.
        """
        grace = self._config.grace if grace is None else grace
        self.hub.log.info("draining", sessions=self.hub.accounts.sessions())
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self.hub.drain()
        # gRPC's own grace period refuses new calls, and a client may still have to
        # attach to a copy.
        until = time.monotonic() + grace
        while self.hub.accounts.sessions() and time.monotonic() < until:
            if self._hurry.wait(0.05):
                break
        left = self.hub.accounts.sessions()
        self._server.stop(0).wait()
        self._close()
        self.hub.log.info("stopped", sessions_cut_off=left)
        self._stopped.set()

    def hurry(self) -> None:
        """Let :meth:`stop` wait no longer."""
        self._hurry.set()

    def _close(self) -> None:
        if self._health_server is not None:
            self._health_server.stop(0).wait()
        if self._metrics is not None:
            self._metrics.shutdown()
            self._metrics.server_close()
        self.hub.copies.close()
        self._closing.set()
        self._housekeeper.join()
        self.hub.endings.close()
        self.hub.service.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def wait(self) -> None:
        """Until :meth:`stop` has done its work."""
        # A signal may be delivered to a thread of gRPC's; it is handled in this one, as
        # soon as this one does anything.
        while not self._stopped.wait(1.0):
            pass


def _raise_descriptor_limit() -> None:
    """A session takes a descriptor here and several in the compiler service."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def sandbox_in_force(description: pb.DescribeReply) -> list[str]:
    """What confines session processes, in words."""
    sandbox = description.sandbox
    parts = {
        "no_new_privs": sandbox.no_new_privileges,
        "seccomp": sandbox.system_calls,
        f"landlock {sandbox.landlock}": sandbox.landlock,
    }
    return [name for name, there in parts.items() if there]


def default_folder() -> Path:
    """Where a server keeps programs between runs."""
    import platformdirs

    return (
        Path(platformdirs.user_cache_dir("mlcompiler_gym"))
        / "served"
        / str(os.getuid())
    )
