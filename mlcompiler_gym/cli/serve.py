# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym serve``: compile for other machines."""

from __future__ import annotations

import contextlib
import ctypes
import enum
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from mlcompiler_gym.errors import ServiceUnavailableError

_MIB = 1 << 20
#: What gRPC is told: without its event engine, one thread less stands between a socket
#: and Python. That saves a fifth of a round trip; see docs/service.md.
EXPERIMENTS = "-event_engine_client,-event_engine_listener"

#: Seconds that a thread of the server's may compute while others wait.
SWITCH_INTERVAL = 0.001


class _Sandbox(enum.StrEnum):
    AUTO = "auto"
    REQUIRE = "require"
    OFF = "off"


def serve_credentials(
    folder: Annotated[Path, typer.Argument(help="Folder to write them to.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or address that clients reach the server by."),
    ] = None,
    more: Annotated[
        bool,
        typer.Option(
            "--add-token", help="Add a token, for one more client, to what is there."
        ),
    ] = False,
) -> None:
    """Make a certificate and a token, for a laboratory.

    Clients need ca.pem and token of that folder: copy these two to them. What is in the
    folder already is never replaced.
    """
    try:
        from mlcompiler_gym.server.auth import add_token, make_credentials
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    if more:
        add_token(folder)
        typer.echo(
            f"added a line to {folder / 'token'}; a server reads it at its start"
        )
        return
    hosts = host or ["localhost", "127.0.0.1", "::1", os.uname().nodename]
    make_credentials(folder, hosts)
    typer.echo(
        f"wrote ca.pem, server.pem, server.key and token to {folder}, for "
        f"{', '.join(hosts)}\n"
        f"server:  mlcompiler-gym serve --host 0.0.0.0 --credentials {folder}\n"
        "clients: MLCOMPILER_GYM_CREDENTIALS=<folder with ca.pem and token>, "
        f"service='grpcs://{hosts[0]}:5051'"
    )


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.")] = 5051,
    credentials: Annotated[
        Path | None,
        typer.Option(help="Folder that `mlcompiler-gym serve-credentials` wrote."),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", help="Serve other machines in the clear, and anybody."
        ),
    ] = False,
    sandbox: Annotated[
        _Sandbox | None,
        typer.Option(
            help="Confine session processes. require: do not serve otherwise (the "
            "default for any address but loopback). auto: as far as the kernel can. "
            "off: do not."
        ),
    ] = None,
    max_sessions: Annotated[
        int, typer.Option(help="Sessions of a client, at once.")
    ] = 1024,
    max_streams: Annotated[
        int, typer.Option(help="gRPC streams of a client, at once.")
    ] = 96,
    max_upload_mb: Annotated[int, typer.Option(help="MiB of a program.")] = 64,
    max_seconds: Annotated[
        float, typer.Option(help="Wall-clock seconds of a request.")
    ] = 600.0,
    max_memory_mb: Annotated[int, typer.Option(help="MiB of a session.")] = 8192,
    programs: Annotated[
        Path | None, typer.Option(help="Folder to keep uploaded programs in.")
    ] = None,
    programs_mb: Annotated[int, typer.Option(help="MiB of all programs.")] = 4096,
    programs_count: Annotated[int, typer.Option(help="How many programs.")] = 100_000,
    metrics_host: Annotated[
        str, typer.Option(help="Address to serve Prometheus on.")
    ] = "127.0.0.1",
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of /metrics; none: no metrics.")
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(
            help="A further port, without TLS, for health checks and nothing else."
        ),
    ] = None,
    streams: Annotated[int, typer.Option(help="gRPC streams at once.")] = 1024,
    grace: Annotated[
        float,
        typer.Option(help="Seconds that sessions may go on after SIGTERM."),
    ] = 30.0,
    log_format: Annotated[str, typer.Option(help="json or text.")] = "json",
    log_level: Annotated[str, typer.Option(help="debug, info, warning…")] = "info",
) -> None:
    """Compile for other machines: `gym.make(..., service="grpc://host:port")`.

    SIGTERM and Ctrl-C let sessions that are under way go on for a while; a second
    one ends them at once.
    """
    os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)
    # Messages of gRPC's C core are no JSON, and say nothing that our log does not.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    _give_memory_back()
    # A thread that works for one client keeps the threads of others waiting no longer.
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        from mlcompiler_gym.server import Config, Limits, Server
        from mlcompiler_gym.server.server import default_folder
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    if log_format not in ("json", "text"):
        raise typer.BadParameter("json or text", param_hint="--log-format")
    server = Server(
        Config(
            host=host,
            port=port,
            credentials=credentials,
            insecure=insecure,
            sandbox=sandbox,
            limits=Limits(
                sessions=max_sessions,
                streams=max_streams,
                upload_bytes=max_upload_mb * _MIB,
                seconds=max_seconds,
                memory_bytes=max_memory_mb * _MIB,
            ),
            programs=programs if programs is not None else default_folder(),
            program_bytes=programs_mb * _MIB,
            program_count=programs_count,
            metrics_host=metrics_host,
            metrics_port=metrics_port,
            health_port=health_port,
            streams=streams,
            grace=grace,
            json_logs=log_format == "json",
            log_level=log_level,
        )
    )
    stopping = threading.Event()

    def stop(*_: object) -> None:
        if stopping.is_set():
            server.hurry()
            return
        stopping.set()
        # The server is stopped in a thread. The code that the signal interrupts may
        # hold a lock that stopping takes.
        threading.Thread(target=server.stop).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.wait()


def _give_memory_back() -> None:
    """Have the C library return large pieces of memory as soon as they are free.

    It would keep them after the first of a size has been freed, for each thread.
    """
    threshold = -3  # M_MMAP_THRESHOLD, which setting also keeps from growing
    with contextlib.suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(threshold, 1 << 18)


def _missing(error: ModuleNotFoundError) -> Exception:
    return ServiceUnavailableError(
        f"{error.name} is not installed; `pip install 'mlcompiler_gym[serve]'`"
    )
