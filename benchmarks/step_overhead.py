# SPDX-License-Identifier: Apache-2.0
"""A step without compile work: everything but the compiler.

``env.step`` with a request that answers no decision, so that the service
replies with the 38 features of the decision that it is stopped at. Client,
socket and service are all in it.
"""

from __future__ import annotations

import statistics
from time import perf_counter

import gymnasium

import mlcompiler_gym
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

STEPS = 10_000


def run() -> None:
    env = gymnasium.make("mlcompiler/Inlining-v0", programs="kernels/regex").unwrapped
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    env.reset(seed=0)
    empty = pb.Request(step=pb.Step()).SerializeToString()
    env.setup.actions.request = lambda action: empty  # type: ignore[method-assign]
    times = []
    for _ in range(STEPS):
        began = perf_counter()
        env.step(0)
        times.append((perf_counter() - began) * 1e6)
    env.close()
    deciles = statistics.quantiles(times, n=10)
    print(
        f"{STEPS} steps: median {statistics.median(times):.1f} µs, "
        f"10% {deciles[0]:.1f} µs, 90% {deciles[-1]:.1f} µs (goal: median 40 µs)"
    )
