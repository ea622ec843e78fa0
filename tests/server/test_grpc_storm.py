# SPDX-License-Identifier: Apache-2.0
"""Environments of many clients while all that is behind them is killed."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import psutil
import pytest
from support.samples import wait_until
from support.servers import ServerProcess

from mlcompiler_gym.client import Service
from mlcompiler_gym.client.local import LocalService
from mlcompiler_gym.errors import MLCompilerGymError

PROGRAMS = ("kernels/regex", "kernels/json", "kernels/sql")

#: Reward, steps and object of an episode.
Outcome = tuple[float, int, bytes]


def play(env: Any, number: int) -> Outcome | None:
    """One episode, the same whenever it has this number; None if it is truncated."""
    rng = np.random.default_rng(number)
    env.reset(seed=number, options={"program": PROGRAMS[number % len(PROGRAMS)]})
    total, steps = 0.0, 0
    while True:
        _, reward, terminated, truncated, info = env.step(int(rng.integers(2)))
        total, steps = total + reward, steps + 1
        if truncated:
            assert info["error"]
            return None
        if terminated:
            return total, steps, env.emit()


def make(service: Service) -> Any:
    return gymnasium.make(
        "mlcompiler/Inlining-v0", programs=list(PROGRAMS), service=service
    ).unwrapped


@dataclass
class Client:
    """Plays its episodes, each until it is over."""

    url: str
    numbers: range
    outcomes: dict[int, Outcome | None] = field(default_factory=dict)
    #: Errors that an episode does not have to expect.
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        from mlcompiler_gym.client.remote import GrpcService

        service = GrpcService(self.url, reconnect=120.0)
        env = make(service)
        for number in self.numbers:
            try:
                self.outcomes[number] = play(env, number)
            except MLCompilerGymError:
                # Killed before its first decision: reported, and not begun.
                self.outcomes[number] = None
            except Exception as error:
                self.wrong.append(f"{number}: {error!r}")
        env.close()
        service.close()


class Killer:
    """Kills sessions, the nursery and the server, which it starts again."""

    def __init__(self, folder: Path, kills: int) -> None:
        self._folder = folder
        self._left = kills
        self.kills: Counter[str] = Counter()
        self.server = ServerProcess(folder)
        self.url = self.server.url

    def run(self, still: threading.Event) -> None:
        rng = random.Random(7)
        while self._left and not still.wait(rng.uniform(0.02, 0.15)):
            what = rng.choices(("session", "nursery", "server"), (0.9, 0.08, 0.02))[0]
            if getattr(self, f"_{what}")(rng):
                self.kills[what] += 1
                self._left -= 1

    def _processes(self) -> tuple[list[psutil.Process], list[psutil.Process]]:
        try:
            nurseries = psutil.Process(self.server.process.pid).children()
            sessions = [s for n in nurseries for s in n.children(recursive=True)]
        except psutil.NoSuchProcess:
            return [], []
        return nurseries, sessions

    def _session(self, rng: random.Random) -> bool:
        _, sessions = self._processes()
        return bool(sessions) and _kill(rng.choice(sessions))

    def _nursery(self, rng: random.Random) -> bool:
        nurseries, _ = self._processes()
        return bool(nurseries) and _kill(nurseries[0])

    def _server(self, rng: random.Random) -> bool:
        self.server.kill()
        self.server = ServerProcess(self._folder, port=self.server.port)
        return True


def _kill(process: psutil.Process) -> bool:
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def storm(folder: Path, clients: int, episodes: int, kills: int) -> Iterator[Killer]:
    killer = Killer(folder, kills)
    players = [
        Client(killer.url, range(n * episodes, (n + 1) * episodes))
        for n in range(clients)
    ]
    threads = [threading.Thread(target=player.run) for player in players]
    for thread in threads:
        thread.start()
    over = threading.Event()
    killing = threading.Thread(target=killer.run, args=(over,))
    killing.start()
    for thread in threads:
        thread.join(timeout=1500)
        assert not thread.is_alive(), "a client hangs"
    over.set()
    killing.join()
    yield killer
    with killer.server as server:
        local = LocalService()
        env = make(local)
        for player in players:
            assert not player.wrong, player.wrong
            assert sorted(player.outcomes) == list(player.numbers)
            for number, outcome in player.outcomes.items():
                if outcome is not None:
                    assert outcome == play(env, number), number
        env.close()
        local.close()
        played = [o for player in players for o in player.outcomes.values()]
        truncated = played.count(None)
        print(f"{len(played)} episodes, {truncated} truncated; {dict(killer.kills)}")
        # A kill costs one episode at most, and a parked process none.
        assert truncated <= killer.kills["session"] + killer.kills["nursery"]
        metrics = server.metrics
        wait_until(lambda: metrics()["mlcompiler_gym_sessions"] == 0, "sessions end")
        wait_until(lambda: metrics()["mlcompiler_gym_streams"] == 0, "streams end")
        nursery = server.nursery()
        parked = metrics()["mlcompiler_gym_parked_sessions"]
        assert parked <= len(PROGRAMS)
        assert len(nursery.children(recursive=True)) == parked
    wait_until(lambda: not nursery.is_running(), "nothing is left")


@pytest.mark.timeout(240)
def test_a_gust(tmp_path: Path) -> None:
    with storm(tmp_path, clients=2, episodes=6, kills=6) as killer:
        assert killer.kills


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_storm(tmp_path: Path) -> None:
    with storm(tmp_path, clients=16, episodes=50, kills=200) as killer:
        assert killer.kills.total() == 200
        assert min(killer.kills[each] for each in ("session", "nursery", "server")) > 0
