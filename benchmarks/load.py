# SPDX-License-Identifier: Apache-2.0
"""A server under load and under fire: sessions, steps a second, memory, recovery.

Against a real ``mlcompiler-gym serve`` on loopback. Sessions are of `kernels/regex`,
stopped at their first decision. Memory is proportional (PSS of
``/proc/PID/smaps_rollup``): pages that processes share are split between them, so that
sums are what the machine has to have. Steps a second: each client is a process with a
connection and an environment of its own, which sends requests that answer no decision
(everything but the compiler) for a few seconds. Recovery: from ``kill -9`` until the
next step of an environment is answered, `reset` included where the episode is lost.
``LOAD_PLOT=load.png`` draws the first two. ``./run bench load --flood`` is
:mod:`benchmarks.flood` instead.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import gymnasium
import numpy as np
import psutil

import mlcompiler_gym
from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

SESSIONS = (1, 16, 64, 256)
CLIENTS = (1, 2, 4, 8, 16, 64)
#: Decisions that an episode plays; regex has more.
DECISIONS = 50
SECONDS = 4.0
KILLS = 10
_COMMAND = [sys.executable, "-c", "from mlcompiler_gym.cli import main; main()"]


class Server:
    """``mlcompiler-gym serve``, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self.start()

    def start(self) -> None:
        log = self._folder / f"{monotonic()}.log"
        with log.open("wb") as file:
            self.process = psutil.Popen(
                [
                    *(*_COMMAND, "serve", f"--port={self.port}"),
                    f"--programs={self._folder / 'programs'}",
                ],
                stdout=file,
                stderr=file,
            )
        while '"event": "serving"' not in log.read_text():
            if self.process.poll() is not None:
                raise RuntimeError(log.read_text())
            sleep(0.005)
        if not self.port:
            [connection] = [
                c
                for c in self.process.net_connections("tcp")
                if c.status == psutil.CONN_LISTEN
            ]
            self.port = connection.laddr.port

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def nursery(self) -> psutil.Process:
        [child] = self.process.children()
        return child

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _pss(*pids: int) -> float:
    """MiB of memory."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def environment_of(service: GrpcService) -> Any:
    return gymnasium.make(
        "mlcompiler/Inlining-v0", programs="kernels/regex", service=service
    ).unwrapped


def _hold(server: Server) -> dict[int, tuple[float, float]]:
    """MiB a session at its first decision and after some, by number of sessions."""
    held = {}
    service = GrpcService(server.url)
    for count in SESSIONS:
        envs: Any = gymnasium.make_vec(
            "mlcompiler/Inlining-v0", count, programs="kernels/regex", service=service
        )
        envs.reset(seed=0)
        began = perf_counter()
        envs.reset(seed=1)
        reset = perf_counter() - began
        # Sessions are forks of one process and share what they have not changed.
        pids = [session.opened.pid for session in envs.sessions]
        assert len(set(pids)) == count
        nursery = server.nursery().pid
        # Parked ones are the nursery's too.
        others = {p.pid for p in server.nursery().children(recursive=True)} - set(pids)
        first = _pss(*pids) / count
        print(
            f"{count} sessions at their first decision: PSS "
            f"{first:.2f} MiB each; nursery and {len(others)} parked "
            f"{_pss(nursery, *others):.1f} MiB, server "
            f"{_pss(server.process.pid):.0f} MiB, {server.process.num_fds()} "
            f"descriptors; reset of all from parked {reset:.3f} s",
            flush=True,
        )
        for _ in range(DECISIONS):
            envs.step(np.zeros(count, np.int64))
        assert pids == [session.opened.pid for session in envs.sessions]
        held[count] = first, _pss(*pids) / count
        print(
            f"{count} sessions after {DECISIONS} decisions: PSS "
            f"{held[count][1]:.2f} MiB each",
            flush=True,
        )
        envs.close()
    service.close()
    return held


def _client(url: str, barrier: Any, end: Any, counts: Any) -> None:
    service = GrpcService(url)
    env = environment_of(service)
    empty = pb.Request(step=pb.Step()).SerializeToString()
    env.reset(seed=0)
    env.setup.actions.request = lambda action: empty
    for _ in range(20):
        env.step(0)
    barrier.wait()
    count, until = 0, end.value
    while monotonic() < until:
        env.step(0)
        count += 1
    counts.put(count)
    env.close()
    service.close()


def _step(server: Server) -> dict[int, float]:
    """Steps a second of all clients together, by their number."""
    rates = {}
    context = multiprocessing.get_context("spawn")
    for number in CLIENTS:
        barrier, counts = context.Barrier(number + 1), context.Queue()
        end = context.Value("d", 0.0)
        clients = [
            context.Process(target=_client, args=(server.url, barrier, end, counts))
            for _ in range(number)
        ]
        for client in clients:
            client.start()
        # One window for all, however late a client is woken.
        while barrier.n_waiting < number:
            sleep(0.05)
        end.value = monotonic() + SECONDS
        barrier.wait()
        done = sorted(counts.get(timeout=300) for _ in clients)
        for client in clients:
            client.join()
        rates[number] = sum(done) / SECONDS
        print(
            f"{number} clients: {rates[number]:.0f} steps/s (slowest client "
            f"{done[0] / SECONDS:.0f}, fastest {done[-1] / SECONDS:.0f})",
            flush=True,
        )
    return rates


def _plot(
    held: dict[int, tuple[float, float]], rates: dict[int, float], path: str
) -> None:
    import matplotlib as mpl

    mpl.use("Agg")  # it writes a file, and needs no display
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="tight")
    first, later = zip(*held.values(), strict=True)
    left.loglog(list(held), first, "o-", label="at the first decision")
    left.loglog(list(held), later, "o-", label=f"after {DECISIONS} decisions")
    left.set(xlabel="sessions held", ylabel="PSS of each, MiB")
    left.legend()
    right.semilogx(list(rates), list(rates.values()), "o-")
    right.set(xlabel="clients", ylabel="steps a second, together")
    right.set_ylim(0, 1.1 * max(rates.values()))
    for axis, numbers in ((left, held), (right, rates)):
        axis.set_xticks(list(numbers), map(str, numbers))
        axis.minorticks_off()
    figure.savefig(path, dpi=150)


def _recover(server: Server) -> None:
    service = GrpcService(server.url)
    env = environment_of(service)

    def again() -> None:
        truncated = env.step(0)[3]
        if truncated:
            env.reset(seed=0)
            if env.step(0)[3]:
                raise RuntimeError("the episode after the lost one is lost as well")

    def session() -> None:
        os.kill(env.session.opened.pid, signal.SIGKILL)

    def nursery() -> None:
        server.nursery().kill()

    def restart() -> None:
        server.process.kill()
        server.process.wait()
        server.start()

    kills: list[tuple[str, Callable[[], None]]] = [
        ("a session", session),
        ("the nursery", nursery),
        ("the server, started again on its port", restart),
    ]
    for name, kill in kills:
        times, next_resets, resets = [], [], 0
        for _ in range(KILLS):
            env.reset(seed=0)
            env.step(0)
            episodes = env.stats.episodes
            began = perf_counter()
            kill()
            again()
            times.append(perf_counter() - began)
            resets += env.stats.episodes - episodes
            began = perf_counter()
            env.reset(seed=0)
            next_resets.append(perf_counter() - began)
        later = statistics.median(next_resets)
        print(
            f"kill -9 of {name}: next step after {statistics.median(times) * 1e3:.0f} "
            f"ms median, {max(times) * 1e3:.0f} at most ({KILLS} kills, {resets} "
            f"resets), the reset after it {later * 1e3:.0f} ms",
            flush=True,
        )
    env.close()
    service.close()


def run() -> None:
    if os.environ.get("LOAD_FLOOD"):
        from benchmarks import flood

        flood.run()
        return
    load = os.getloadavg()[0]
    print(
        f"{os.cpu_count()} processors, {len(os.sched_getaffinity(0))} in use; load "
        f"before {load:.1f}; clients are processes"
    )
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            held = _hold(server)
            rates = _step(server)
            if path := os.environ.get("LOAD_PLOT"):
                _plot(held, rates, path)
            _recover(server)
        finally:
            server.stop()


assert mlcompiler_gym  # registers the environments
