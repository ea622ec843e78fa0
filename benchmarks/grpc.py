# SPDX-License-Identifier: Apache-2.0
"""A step, and a vector step of 16, over gRPC on loopback, beside the local session.

``env.step`` with a request that answers no decision, so that the service replies
with the 38 features of the decision that it is stopped at: everything but the
compiler. The three transports take turns in blocks, since the machine's speed
drifts; the server is a process of its own. Beside them, what gRPC's Python API costs
by itself: an echo of as many bytes over a stream between two such processes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from queue import SimpleQueue
from time import perf_counter
from typing import IO, Any

import grpc
import gymnasium
import numpy as np
from numpy.typing import NDArray

import mlcompiler_gym
from mlcompiler_gym.client import Service
from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ENVS = 16
BLOCKS = 10
STEPS = 200
VECTOR_STEPS = 50

_SERVE = """
import os, sys
from mlcompiler_gym.cli.serve import EXPERIMENTS
os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)
from mlcompiler_gym.server import Config, Server
server = Server(Config(log_level="error"))
print(server.port, flush=True)
sys.stdin.read()
server.stop(grace=0)
"""

_ECHO = """
import os, sys
from concurrent import futures
from mlcompiler_gym.cli.serve import EXPERIMENTS
os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)
import grpc
echo = grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)
server = grpc.server(futures.ThreadPoolExecutor())
server.add_generic_rpc_handlers(
    [grpc.method_handlers_generic_handler("echo", {"Echo": echo})]
)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
"""
#: Bytes of a reply with 38 features.
REPLY = 340


class _Echo:
    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._replies = self._channel.stream_stream("/echo/Echo")(
            iter(self._requests.get, None)
        )

    def step(self, action: object) -> None:
        self._requests.put(bytes(REPLY))
        next(self._replies)

    def close(self) -> None:
        self._requests.put(None)
        self._channel.close()


def _process(source: str, quiet: IO[bytes]) -> tuple[subprocess.Popen[bytes], int]:
    """A process, and the port that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=quiet,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _environments(service: Service) -> tuple[Any, Any]:
    env = gymnasium.make(
        "mlcompiler/Inlining-v0", programs="kernels/regex", service=service
    ).unwrapped
    envs = gymnasium.make_vec(
        "mlcompiler/Inlining-v0",
        num_envs=ENVS,
        programs="kernels/regex",
        service=service,
    )
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    assert isinstance(envs, mlcompiler_gym.CompilerVectorEnv)
    empty = pb.Request(step=pb.Step()).SerializeToString()
    for each in (env, envs):
        each.reset(seed=0)
        each.setup.actions.request = lambda action: empty  # type: ignore[method-assign]
    return env, envs


def _time(step: Any, action: int | NDArray[np.int64], count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = perf_counter()
        step(action)
        times.append((perf_counter() - began) * 1e6)
    return times


def _show(name: str, times: list[float], goal: str) -> None:
    deciles = statistics.quantiles(times, n=10)
    print(
        f"{name}: median {statistics.median(times):.0f} µs, 10% {deciles[0]:.0f} µs, "
        f"90% {deciles[-1]:.0f} µs{goal}",
        flush=True,
    )


def run() -> None:
    with tempfile.TemporaryFile() as quiet:
        server, port = _process(_SERVE, quiet)
        echoing, echo_port = _process(_ECHO, quiet)
        url = f"grpc://127.0.0.1:{port}"
        echo = _Echo(echo_port)
        services: dict[str, Service] = {
            "local": mlcompiler_gym.LocalService(),
            "gRPC": GrpcService(url),
            "gRPC, a stream per session": GrpcService(url, stream_per_session=True),
        }
        made = {name: _environments(service) for name, service in services.items()}
        single: dict[str, list[float]] = {name: [] for name in made}
        vector: dict[str, list[float]] = {name: [] for name in made}
        echoes: list[float] = []
        zeros = np.zeros(ENVS, np.int64)
        for _ in range(BLOCKS):
            echoes += _time(echo.step, 0, STEPS)
            for name, (env, envs) in made.items():
                single[name] += _time(env.step, 0, STEPS)
                vector[name] += _time(envs.step, zeros, VECTOR_STEPS)
        _show(f"an echo of {REPLY} bytes", echoes, "")
        for name, times in single.items():
            _show(f"{name}: a step", times, " (goal: median 200 µs)" * (name == "gRPC"))
        for name, times in vector.items():
            goal = " (goal: median 600 µs)" * (name == "gRPC")
            _show(f"{name}: a step of {ENVS}", times, goal)
        for name, (env, envs) in made.items():
            env.close()
            envs.close()
            services[name].close()
        echo.close()
        server.communicate()
        echoing.communicate()
