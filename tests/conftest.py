# SPDX-License-Identifier: Apache-2.0
"""What the tests share: a service of their own, and programs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import pytest
from support.processes import processes_of, wait_until
from support.regalloc import MakeEnv, environments
from support.vectors import SMALL

import mlcompiler_gym
from mlcompiler_gym.client import Service
from mlcompiler_gym.envs import CompilerEnv, CompilerVectorEnv

if TYPE_CHECKING:
    from mlcompiler_gym.server import Server

# LLVM's own compile of a program of a few functions is what most tests need, and
# milliseconds long; `leaf` is called from three sites, so there are decisions.
SMALL_C = """
static int leaf(int x) { return x * 31 + 7; }
static int twice(int x) { return leaf(x) + leaf(x + 1); }
int alone(int x) { return x; }
int entry(int x) { return twice(x) - leaf(x) + twice(3); }
"""

# In the background of a shell it is ignored, and programs that tests interrupt would
# inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def service() -> Iterator[mlcompiler_gym.LocalService]:
    """A service of this test alone, which must leave no process behind."""
    service = mlcompiler_gym.LocalService()
    yield service
    pid = service.pid
    service.close()
    if pid is not None:
        assert wait_until(lambda: not processes_of(pid)), (
            f"processes {processes_of(pid)} outlive their service"
        )


@pytest.fixture
def server() -> Iterator[Server]:
    """A gRPC server of this test alone, which must leave no process behind."""
    from mlcompiler_gym.server import Config, Server

    server = Server(Config(log_level="error"))
    pid = server.hub.service.pid
    yield server
    server.stop(grace=0)
    assert pid is not None
    assert wait_until(lambda: not processes_of(pid)), (
        f"processes {processes_of(pid)} outlive their service"
    )


@pytest.fixture
def grpc_service(server: Server) -> Iterator[Service]:
    """Many sessions on one stream, as environments use the server."""
    from mlcompiler_gym.client.remote import GrpcService

    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    yield service
    service.close()


@pytest.fixture
def grpc_streams(server: Server) -> Iterator[Service]:
    """A stream for each session, as the protocol has it."""
    from mlcompiler_gym.client.remote import GrpcService

    service = GrpcService(f"grpc://127.0.0.1:{server.port}", stream_per_session=True)
    yield service
    service.close()


@pytest.fixture(params=["service", "grpc_service", "grpc_streams"])
def any_service(request: pytest.FixtureRequest) -> Service:
    """A service by each transport in turn; what the protocol's tests run against."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Service)
    return found


@pytest.fixture
def make(
    service: mlcompiler_gym.LocalService,
) -> Iterator[Callable[..., CompilerEnv]]:
    """``make(programs=…)``: an inlining environment, closed after the test."""
    made: list[CompilerEnv] = []

    def make_env(**settings: Any) -> CompilerEnv:
        settings.setdefault("service", service)
        env = gymnasium.make("mlcompiler/Inlining-v0", **settings).unwrapped
        assert isinstance(env, CompilerEnv)
        made.append(env)
        return env

    yield make_env
    for env in made:
        env.close()


@pytest.fixture
def make_env(service: mlcompiler_gym.LocalService) -> Iterator[MakeEnv]:
    """``make_env(id, programs=…, …)`` on a service of the test's own."""
    with environments(service) as make:
        yield make


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[[str, str], Path]:
    """``write_file("a.c", text)`` writes a file and returns its path."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def small_c(write_file: Callable[[str, str], Path]) -> Path:
    """Path of a small C program with a handful of decisions."""
    return write_file("small.c", SMALL_C)


@pytest.fixture
def make_vec(
    service: mlcompiler_gym.LocalService,
) -> Iterator[Callable[..., CompilerVectorEnv]]:
    """``make_vec(n, …)``: a vector of inlining environments, closed after the test."""
    made: list[CompilerVectorEnv] = []

    def make(num_envs: int, **settings: Any) -> CompilerVectorEnv:
        settings.setdefault("service", service)
        settings.setdefault("programs", SMALL)
        envs = gymnasium.make_vec(
            "mlcompiler/Inlining-v0", num_envs=num_envs, **settings
        )
        assert isinstance(envs, CompilerVectorEnv)
        made.append(envs)
        return envs

    yield make
    for envs in made:
        envs.close()
