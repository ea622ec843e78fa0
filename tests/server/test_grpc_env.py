# SPDX-License-Identifier: Apache-2.0
"""Environments on a server: the same as on this machine."""

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.vectors import SMALL

import mlcompiler_gym
from mlcompiler_gym.client import Service
from mlcompiler_gym.envs import CompilerEnv, CompilerVectorEnv
from mlcompiler_gym.server import Server

pytestmark = pytest.mark.timeout(120)

IDS = [
    "mlcompiler/Inlining-v0",
    "mlcompiler/RegAllocEviction-v0",
    "mlcompiler/RegAllocPriority-v0",
]


@pytest.fixture
def url(server: Server) -> str:
    return f"grpc://127.0.0.1:{server.port}"


def play(id_: str, service: Service | str, steps: int = 25) -> list[Any]:
    """Everything that an agent gets to see in one episode, and the object."""
    made = gymnasium.make(id_, programs="kernels/lz", service=service)
    env = made.unwrapped
    assert isinstance(env, CompilerEnv)
    seen: list[Any] = list(env.reset(seed=3))
    env.action_space.seed(3)
    for _ in range(steps):
        result = env.step(env.action_space.sample())
        seen += result
        if result[2] or result[3]:
            break
    if "Inlining" in id_:
        # The register allocator stands in the middle of generating code.
        seen += [env.observe("ir"), env.measure("ir_instructions"), env.emit()]
    env.close()
    return seen


@pytest.mark.parametrize("id_", IDS)
def test_an_episode_is_the_same(
    id_: str, url: str, service: mlcompiler_gym.LocalService
) -> None:
    for ours, theirs in zip(play(id_, service), play(id_, url), strict=True):
        np.testing.assert_equal(ours, theirs)


def test_the_environment_passes_gymnasiums_checks(url: str) -> None:
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=SMALL, service=url)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_environments_of_one_address_share_a_connection(
    url: str, server: Server
) -> None:
    envs = [
        gymnasium.make("mlcompiler/Inlining-v0", programs=SMALL, service=url)
        for _ in range(3)
    ]
    for env in envs:
        env.reset(seed=0)
    assert len(server.hub.relays) == 1
    assert server.hub.accounts.sessions() == 3
    for env in envs:
        env.close()


def test_vector_environments_are_the_same(
    url: str, make_vec: Callable[..., CompilerVectorEnv]
) -> None:
    ours, theirs = make_vec(5), make_vec(5, service=url)
    for a, b in zip(ours.reset(seed=0), theirs.reset(seed=0), strict=True):
        np.testing.assert_equal(a, b)
    rng = np.random.default_rng(0)
    for _ in range(30):
        actions = rng.integers(0, 2, 5)
        for a, b in zip(ours.step(actions), theirs.step(actions), strict=True):
            np.testing.assert_equal(a, b)


def test_send_and_recv_go_on_with_those_that_are_ready(
    url: str, make_vec: Callable[..., CompilerVectorEnv]
) -> None:
    envs = make_vec(4, service=url, batch_size=2)
    envs.reset(seed=0)
    envs.send(np.zeros(4, np.int64))
    seen: set[int] = set()
    for _ in range(6):
        ids = envs.recv()[4]["env_id"]
        assert len(ids) == 2
        seen |= set(ids.tolist())
        envs.send(np.zeros(2, np.int64), ids)
    assert seen == {0, 1, 2, 3}


def test_fork_is_a_copy(url: str) -> None:
    env = gymnasium.make("mlcompiler/Inlining-v0", programs="kernels/lz", service=url)
    base = env.unwrapped
    assert isinstance(base, CompilerEnv)
    base.reset(seed=0)
    for action in (0, 1, 1, 0):
        base.step(action)
    twin = base.fork()
    assert twin.session.fileno() != base.session.fileno()
    for action in (1, 0, 1):
        ours, theirs = base.step(action)[0], twin.step(action)[0]
        np.testing.assert_array_equal(ours, theirs)
    twin.step(0)
    base.step(1)
    assert twin.trajectory.actions[:-1] == base.trajectory.actions[:-1]
    twin.close()
    assert len(base.emit()) > 0
    base.close()


def test_a_trajectory_replays_there_and_here(
    url: str, service: mlcompiler_gym.LocalService
) -> None:
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=SMALL, service=service)
    base = env.unwrapped
    assert isinstance(base, CompilerEnv)
    base.reset(seed=0)
    done = False
    while not done:
        done = base.step(base.action_space.sample())[2]
    trajectory, expected, program = base.trajectory, base.emit(), base.program
    base.close()
    for each in (service, url):
        again = mlcompiler_gym.replay(trajectory, program, service=each)
        assert again.object_code == expected


def test_a_service_is_not_copied_with_the_arguments(grpc_service: Service) -> None:
    assert copy.deepcopy(grpc_service) is grpc_service
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=SMALL, service=grpc_service)
    base = env.unwrapped
    assert isinstance(base, CompilerEnv)
    assert base.setup.service is grpc_service
    env.close()


def test_a_service_travels_to_another_process(grpc_service: Service) -> None:
    twin = pickle.loads(pickle.dumps(grpc_service))
    assert twin.describe() == grpc_service.describe()
    twin.close()


def _reset_in_child(url: str, out: Any) -> None:
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=SMALL, service=url)
    observation, _ = env.reset(seed=0)
    out.put(observation)
    env.close()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_child_processes_have_connections_of_their_own(url: str, method: str) -> None:
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=SMALL, service=url)
    expected, _ = env.reset(seed=0)
    context: Any = multiprocessing.get_context(method)
    out = context.Queue()
    child = context.Process(target=_reset_in_child, args=(url, out))
    child.start()
    np.testing.assert_equal(out.get(timeout=60), expected)
    child.join(20)
    env.step(0)
    env.close()


def test_gym_make_names_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        gymnasium.make("mlcompiler/Inlining-v0", service="localhost:5051")
