# SPDX-License-Identifier: Apache-2.0
"""A step, and a vector step of 16, over gRPC on loopback, beside the local session.

``env.step`` with a request that answers no decision, so that the service replies
with the 38 features of the decision that it is stopped at: everything but the
compiler. The three transports take turns in blocks, since the machine's speed
drifts; the server is a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import mlcompiler_gym
from mlcompiler_gym.service import Service
from mlcompiler_gym.service.remote import GrpcService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ENVS = 16
BLOCKS = 10
STEPS = 200
VECTOR_STEPS = 50

_SERVE = """
import os, sys
from mlcompiler_gym.cli.serve import EXPERIMENTS
os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)
from mlcompiler_gym.service.server import Config, Server
server = Server(Config(log_level="error"))
print(server.port, flush=True)
sys.stdin.read()
server.stop(grace=0)
"""


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
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=quiet,
        )
        assert server.stdout is not None
        url = f"grpc://127.0.0.1:{int(server.stdout.readline())}"
        services: dict[str, Service] = {
            "local": mlcompiler_gym.LocalService(),
            "gRPC": GrpcService(url),
            "gRPC, a stream per session": GrpcService(url, stream_per_session=True),
        }
        made = {name: _environments(service) for name, service in services.items()}
        single: dict[str, list[float]] = {name: [] for name in made}
        vector: dict[str, list[float]] = {name: [] for name in made}
        zeros = np.zeros(ENVS, np.int64)
        for _ in range(BLOCKS):
            for name, (env, envs) in made.items():
                single[name] += _time(env.step, 0, STEPS)
                vector[name] += _time(envs.step, zeros, VECTOR_STEPS)
        for name, times in single.items():
            _show(f"{name}: a step", times, " (goal: median 200 µs)" * (name == "gRPC"))
        for name, times in vector.items():
            goal = " (goal: median 600 µs)" * (name == "gRPC")
            _show(f"{name}: a step of {ENVS}", times, goal)
        for name, (env, envs) in made.items():
            env.close()
            envs.close()
            services[name].close()
        server.communicate()
