# SPDX-License-Identifier: Apache-2.0
"""Evaluation and training on a cluster of Ray, of several nodes on this machine."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.commands import SCRIPT
from support.processes import wait_until

from mlcompiler_gym import EvaluationError
from mlcompiler_gym.evaluation import (
    EpisodePlan,
    Evaluation,
    LocalPlayers,
    Record,
    Result,
    evaluate,
)

pytestmark = pytest.mark.slow

INLINING = "mlcompiler/Inlining-v0"
EXAMPLES = Path(__file__).parents[2] / "examples"

POLICIES = """
import os, signal, time

def slow(observation, info):
    time.sleep(0.005)
    return 1

def slow_at_random(env, seed):
    from mlcompiler_gym.policies import random_legal
    choose = random_legal(env, seed)
    def decide(observation, info):
        time.sleep(0.005)
        return choose(observation, info)
    return decide

def killing_its_process(observation, info):
    if "no_decision" not in info:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a user's module, which Ray's processes find, too."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "at_ray.py").write_text(POLICIES)
    before = dict(os.environ)
    os.environ["PYTHONPATH"] = str(folder)
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(folder / "token")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Everything on loopback; read when Ray is imported.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    (folder / "token").write_text("0123456789abcdef" * 4)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def cluster(modules: Path) -> Iterator[Any]:
    """A cluster of two nodes, a processor each, and a head that plays nothing."""
    import ray
    from ray.cluster_utils import Cluster

    nodes: dict[str, Any] = {"include_dashboard": False, "node_ip_address": "127.0.0.1"}
    small: dict[str, Any] = {"object_store_memory": 100 << 20}
    # A node is missed after seconds, not after most of a minute.
    quick = {"health_check_period_ms": 1000, "health_check_timeout_ms": 2000}
    cluster = Cluster()
    try:
        cluster.add_node(**nodes, **small, num_cpus=0, _system_config=quick)
        for _ in range(2):
            cluster.add_node(**nodes, **small, num_cpus=1)
        ray.init(cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


class Watched:
    """Players that do something between results."""

    def __init__(self, players: Any, after: int, what: Any) -> None:
        self._players, self._after, self._what = players, after, what
        self.played = 0

    def play(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        for result in self._players.play(plans):
            yield result
            self.played += 1
            if self.played == self._after:
                self._what()


def lines(path: Path) -> list[str]:
    return sorted(path.read_text().splitlines())


def processes_of(node: Any) -> list[psutil.Process]:
    """All processes of a node: Ray's own, workers, compiler services and sessions."""
    own = [
        psutil.Process(each.process.pid)
        for processes in node.all_processes.values()
        for each in processes
    ]
    return [*own, *(p for each in own for p in each.children(recursive=True))]


def kill_node(cluster: Any) -> None:
    """As if it lost its power: all of its processes, and no goodbyes."""
    node = cluster.list_all_nodes()[-1]
    for process in processes_of(node):
        process.kill()
    cluster.remove_node(node, allow_graceful=False)


def test_a_node_killed_in_mid_run_costs_no_episode(
    cluster: Any, tmp_path: Path
) -> None:
    from mlcompiler_gym.evaluation.farm import RayPlayers

    programs = ("kernels/lz", "kernels/basic", "kernels/json")
    evaluation = Evaluation(INLINING, "at_ray:slow_at_random")
    players = RayPlayers(evaluation)
    assert players.workers == 2
    # A while after the third result: in the middle of other episodes.
    timer = threading.Timer(0.15, kill_node, (cluster,))
    watched = Watched(players, 3, timer.start)
    records = evaluate(
        evaluation, programs, tmp_path / "ray", episodes=6, players=watched
    )
    timer.join()
    import ray

    assert sum(node["Alive"] for node in ray.nodes()) == 2
    assert players.lost >= 1
    # Each exactly once, and as on this machine alone, byte for byte.
    assert watched.played == len(records) == 18
    local = evaluate(evaluation, programs, tmp_path / "local", episodes=6)
    assert records == local
    assert lines(tmp_path / "ray") == lines(tmp_path / "local")
    assert all(record["error"] is None for record in records)


def test_killed_workers_cost_no_episode_and_leave_nothing(
    cluster: Any, tmp_path: Path
) -> None:
    from mlcompiler_gym.evaluation.farm import RayPlayers

    services: list[psutil.Process] = []

    def kill_a_worker() -> None:
        services.extend(
            process
            for node in cluster.list_all_nodes()
            for process in processes_of(node)
            if process.name().startswith("mlcompiler")
        )
        worker = services[0].parent()
        assert worker is not None
        worker.kill()

    evaluation = Evaluation(INLINING, "at_ray:slow")
    players = Watched(RayPlayers(evaluation), 2, kill_a_worker)
    records: list[Record] = evaluate(
        evaluation, ["kernels/lz"], tmp_path / "out", episodes=8, players=players
    )
    assert services
    assert [record["seed"] for record in records] == list(range(8))
    assert wait_until(lambda: not any(each.is_running() for each in services))


def test_an_episode_that_takes_its_workers_down_holds_up_no_other(
    cluster: Any, tmp_path: Path
) -> None:
    from mlcompiler_gym.evaluation.farm import RayPlayers

    evaluation = Evaluation(INLINING, "at_ray:killing_its_process")
    players = RayPlayers(evaluation)
    # A program without decisions.
    (tmp_path / "alone.c").write_text("int alone(int x) { return x; }")
    programs: list[str | Path] = ["kernels/lz", tmp_path / "alone.c"]
    with pytest.raises(EvaluationError, match="1 episodes of kernels/lz"):
        evaluate(evaluation, programs, tmp_path / "out", players=players)
    [line] = lines(tmp_path / "out")
    assert json.loads(line)["program"].endswith("alone.c")


def test_no_worker_finds_a_place(cluster: Any, tmp_path: Path) -> None:
    from mlcompiler_gym.evaluation.farm import RayPlayers

    evaluation = Evaluation(INLINING, "llvm")
    players = RayPlayers(evaluation, 1, patience=2)
    for node in cluster.list_all_nodes()[1:]:
        cluster.remove_node(node, allow_graceful=False)
    with pytest.raises(EvaluationError, match="free processor"):
        evaluate(evaluation, "kernels/lz", tmp_path / "out", players=players)


def test_what_a_worker_cannot_do_is_said(cluster: Any, tmp_path: Path) -> None:
    from mlcompiler_gym.evaluation.farm import RayPlayers

    with pytest.raises(EvaluationError, match="no policy 'nonsuch'"):
        evaluate(
            Evaluation(INLINING, "llvm"),
            "kernels/lz",
            tmp_path / "out",
            players=RayPlayers(Evaluation(INLINING, "nonsuch")),
        )


def test_the_command_joins_a_cluster(cluster: Any, tmp_path: Path) -> None:
    options = ("--programs", "kernels:test", "--policy", "random", "--episodes", "2")
    saved = ("--save-trajectories", "steps")
    for place in (("-o", "ray", "--ray-address", cluster.address), ("-o", "local")):
        done = subprocess.run(
            [SCRIPT, "eval", INLINING, *options, *saved, *place],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if "ray" in place:
            first = {p.name: p.read_bytes() for p in (tmp_path / "steps").iterdir()}
    assert lines(tmp_path / "ray") == lines(tmp_path / "local")
    assert len(lines(tmp_path / "ray")) == 2 * 9
    second = {p.name: p.read_bytes() for p in (tmp_path / "steps").iterdir()}
    assert len(second) == 18
    assert first == second


def test_an_absent_cluster(tmp_path: Path) -> None:
    done = subprocess.run(
        [SCRIPT, "eval", INLINING, "--ray-address", "127.0.0.1:1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "no cluster of Ray" in done.stderr


def test_rllib_trains_over_the_vector_environment(cluster: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, EXAMPLES / "rllib_inlining.py", "--iterations", "2"),
            *("--runners", "2", "--num-envs", "2", "--batch", "128"),
        ],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100", "RAY_ADDRESS": cluster.address},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"│ (\d) +│ (\d+) +│ (\d+) +│ ([+-]\S+)%", done.stdout)
    assert [row[0] for row in rows] == ["1", "2"]
    for _, episodes, decisions, gain in rows:
        assert int(episodes) >= 2
        assert int(decisions) >= 64
        assert -200 < float(gain) < 50


def test_local_players_check_their_number() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LocalPlayers(Evaluation(INLINING, "llvm"), 0)
