# SPDX-License-Identifier: Apache-2.0
"""200 sessions open at once: what each costs, and what a vector step costs."""

from __future__ import annotations

import statistics
from time import perf_counter

import gymnasium
import numpy as np
import psutil

import mlcompiler_gym

SESSIONS = 200
STEPS = 50


def _unique_bytes(process: psutil.Process) -> int:
    return int(process.memory_full_info().uss)


def run() -> None:
    service = mlcompiler_gym.LocalService()
    env = gymnasium.make_vec(
        "mlcompiler/Inlining-v0", num_envs=SESSIONS, service=service
    )
    assert isinstance(env, mlcompiler_gym.CompilerVectorEnv)
    began = perf_counter()
    env.reset(seed=0)
    first = perf_counter() - began
    began = perf_counter()
    env.reset(seed=1)
    parked = perf_counter() - began
    memory = []
    for session in env.sessions:
        assert session is not None
        memory.append(_unique_bytes(psutil.Process(session.opened.pid)) / 2**20)
    times = []
    for _ in range(STEPS):
        began = perf_counter()
        env.step(np.zeros(SESSIONS, np.int64))
        times.append(perf_counter() - began)
    assert service.pid is not None
    nursery = psutil.Process(service.pid)
    descriptors = nursery.num_fds()
    env.close()
    service.close()
    print(
        f"{SESSIONS} sessions on {env.setup.programs.size} programs: first reset "
        f"{first:.2f} s, reset from parked {parked:.2f} s "
        f"({parked / SESSIONS * 1e3:.2f} ms each); memory of a session's own "
        f"{statistics.median(memory):.1f} MiB median; nursery "
        f"{descriptors} descriptors; a step of all {statistics.median(times):.3f} s "
        f"({SESSIONS / statistics.median(times):.0f} steps/s, compile work included)"
    )
