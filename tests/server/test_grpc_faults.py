# SPDX-License-Identifier: Apache-2.0
"""Many clients at once, while sessions and the server are killed under them."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from support.samples import CALLS, inlining, pack, run, wait_until
from support.servers import ServerProcess

from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.errors import MLCompilerGymError, ServiceError

#: What may befall an episode whose session or server is killed.
_EXPECTED = {"SESSION_LOST", "ServiceUnavailableError"}


@dataclass
class Client:
    """Plays episodes and keeps account of them."""

    number: int
    url: str
    episodes: int
    code: bytes
    kill: float
    #: How each episode ended: "done" or the name of an error.
    outcomes: dict[int, str] = field(default_factory=dict)
    killed: int = 0
    wrong: list[str] = field(default_factory=list)

    def play(self) -> None:
        rng = random.Random(self.number)
        service = GrpcService(self.url, reconnect=60.0)
        for episode in range(self.episodes):
            victim = rng.random() < self.kill
            moment = rng.randrange(8)
            try:
                outcome = self._episode(service, moment if victim else -1)
            except ServiceError as error:
                outcome = error.code
            except MLCompilerGymError as error:
                outcome = type(error).__name__
            except Exception as error:
                self.wrong.append(f"episode {episode}: {error!r}")
                outcome = "untyped"
            if episode in self.outcomes:
                self.wrong.append(f"episode {episode} twice")
            self.outcomes[episode] = outcome
        service.close()

    def _episode(self, service: GrpcService, moment: int) -> str:
        session = service.open(inlining(park=True), CALLS)
        try:
            state = session.opened.state
            while state.HasField("features"):
                if state.decisions == moment:
                    self._kill(session.opened.pid)
                decided = state.decisions
                state = session.step(pack(decided % 2))
                if state.decisions != decided + 1:
                    self.wrong.append(f"{decided} and then {state.decisions}")
            if session.emit() != self.code:
                self.wrong.append("another object file")
            return "done"
        finally:
            session.close()

    def _kill(self, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            if process.name().startswith("mlcompiler-serv"):
                process.kill()
                self.killed += 1
        except psutil.NoSuchProcess:
            pass  # of a server that has been killed meanwhile


def _play(folder: Path, clients: int, episodes: int, kill: float) -> Counter[str]:
    ours = psutil.Process()
    before = ours.num_fds()
    threads_before = threading.active_count()
    server = ServerProcess(folder)
    with server:
        service = server.service()
        expected = run(service).object_code
        service.close()
        players = [
            Client(number, server.url, episodes, expected, kill)
            for number in range(clients)
        ]
        threads = [threading.Thread(target=player.play) for player in players]
        for thread in threads:
            thread.start()
        half = clients * episodes // 2
        wait_until(
            lambda: sum(len(player.outcomes) for player in players) >= half,
            "half of the episodes are over",
            seconds=900,
        )
        nursery = server.nursery()
        server.kill()
        wait_until(lambda: not nursery.is_running(), "nothing outlives the server")
    with ServerProcess(folder, port=server.port) as server:
        for thread in threads:
            thread.join(timeout=900)
            assert not thread.is_alive(), "a client hangs"
        for player in players:
            assert not player.wrong, player.wrong
            # None is lost, none is counted twice.
            assert sorted(player.outcomes) == list(range(episodes))
        outcomes = Counter(o for p in players for o in p.outcomes.values())
        assert set(outcomes) <= {"done"} | _EXPECTED, outcomes
        # A kill costs the episode that it hits, and the server's none.
        killed = sum(player.killed for player in players)
        assert outcomes.total() - outcomes["done"] == killed, (outcomes, killed)
        metrics = server.metrics
        wait_until(lambda: metrics()["mlcompiler_gym_sessions"] == 0, "sessions end")
        wait_until(lambda: metrics()["mlcompiler_gym_streams"] == 0, "streams end")
        assert metrics()["mlcompiler_gym_parked_sessions"] <= 1
        nursery = server.nursery()
        wait_until(lambda: len(nursery.children(recursive=True)) <= 1, "processes end")
        server.terminate()
        assert server.process.wait(timeout=60) == 0
    wait_until(lambda: not nursery.is_running(), "the compiler service ends")
    wait_until(lambda: threading.active_count() <= threads_before, "threads end", 30)
    wait_until(lambda: ours.num_fds() <= before + 2, "descriptors are closed", 30)
    return outcomes


@pytest.mark.timeout(240)
def test_a_few_clients_and_a_server_that_is_killed(tmp_path: Path) -> None:
    outcomes = _play(tmp_path, clients=4, episodes=15, kill=0.1)
    assert outcomes["done"] >= 40


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_64_clients_and_a_server_that_is_killed(tmp_path: Path) -> None:
    outcomes = _play(tmp_path, clients=64, episodes=100, kill=0.01)
    assert outcomes["done"] >= 6200
    assert outcomes.total() == 6400
