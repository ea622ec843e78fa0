# SPDX-License-Identifier: Apache-2.0
"""Streams that break, and sessions that come back by repeating what was asked."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import psutil
import pytest
from support.samples import (
    CALLS,
    ENDLESS,
    SLOW,
    Run,
    alternate,
    fails,
    finish,
    inlining,
    pack,
    run,
)
from support.servers import ServerProcess
from support.vectors import SMALL

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.envs import CompilerEnv, CompilerVectorEnv
from mlcompiler_gym.errors import ServiceUnavailableError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(180)


class Restartable:
    """A server that is killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = ServerProcess(folder)

    def restart(self, *, forget_programs: bool = False) -> None:
        self.server.kill()
        if forget_programs:
            shutil.rmtree(self._folder / "programs")
        self.server = ServerProcess(self._folder, port=self.server.port)

    def restart_later(self, seconds: float) -> threading.Thread:
        self.server.kill()

        def start() -> None:
            time.sleep(seconds)
            self.server = ServerProcess(self._folder, port=self.server.port)

        thread = threading.Thread(target=start)
        thread.start()
        return thread


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[Restartable]:
    made = Restartable(tmp_path)
    yield made
    with made.server:
        pass


@pytest.mark.parametrize("single", [False, True])
def test_a_session_comes_back_where_it_was(
    restartable: Restartable, single: bool
) -> None:
    service = restartable.server.service(stream_per_session=single)

    def compile_(restart: bool) -> Run:
        session = service.open(inlining(), CALLS)
        session.step(pack(0, 1))
        with fails("INVALID_ACTION", ended=False):
            session.step(pack(0, 7))
        if restart:
            restartable.restart()
        done = finish(session, session.step(pack(1)), alternate)
        session.close()
        return done

    assert compile_(restart=False) == compile_(restart=True)
    service.close()


RANDOM = pb.Play(policy=PortablePolicy.named("random").to_bytes(), seed=3)


@pytest.mark.parametrize(
    ("request_", "decisions"),
    [
        (pb.Request(play=pb.Play(policy=RANDOM.policy, seed=3, decisions=2)), 2),
        (pb.Request(play=pb.Play(policy=RANDOM.policy, seed=3, episodes=2)), 0),
        (pb.Request(explore=pb.Explore(policy=RANDOM, decisions=[0, 2])), 2),
        (pb.Request(explore=pb.Explore(policy=RANDOM)), 0),
    ],
    ids=["play", "copies play", "explore", "explore here"],
)
def test_a_session_comes_back_to_where_a_policy_left_it(
    restartable: Restartable, request_: pb.Request, decisions: int
) -> None:
    service = restartable.server.service()
    left = service.open(inlining(), CALLS)
    kept = service.open(inlining(), CALLS)
    replies = [each.call(request_) for each in (left, kept)]
    assert replies[0] == replies[1]
    expected = finish(kept, kept.step(b""), alternate)
    opened = left.opened.pid
    restartable.restart()
    state = left.step(b"")
    assert left.opened.pid != opened
    assert state.decisions == decisions
    assert finish(left, state, alternate) == expected
    for each in (left, kept):
        each.close()
    service.close()


def test_the_program_comes_along_if_it_is_lost(restartable: Restartable) -> None:
    service = restartable.server.service()
    expected = run(service)
    session = service.open(inlining(), CALLS)
    session.step(pack(0))
    restartable.restart(forget_programs=True)
    rest = finish(session, session.step(pack(1)), alternate)
    assert rest.object_code == expected.object_code
    session.close()
    service.close()


def test_what_was_under_way_is_asked_again(restartable: Restartable) -> None:
    service = restartable.server.service()
    expected = run(service)
    session = service.open(inlining(), CALLS)
    stopped = psutil.Process(session.opened.pid)
    stopped.suspend()
    requests = [
        pb.Request(step=pb.Step(actions=pack(0))),
        pb.Request(step=pb.Step(actions=pack(1))),
        pb.Request(measure=pb.Measure(objectives=["ir_instructions"])),
    ]
    for request in requests:
        session.send(request.SerializeToString())
    time.sleep(0.2)
    starting = restartable.restart_later(0.5)
    stopped.kill()  # stopped, it would not see that its server is gone
    for request in requests:
        reply = session.receive()
        assert reply.WhichOneof("reply") == request.WhichOneof("request")
    starting.join()
    rest = finish(session, session.step(b""), alternate)
    assert rest.object_code == expected.object_code
    session.close()
    service.close()


def test_copies_come_back_too(restartable: Restartable) -> None:
    service = restartable.server.service()
    session = service.open(inlining(park=True), CALLS)
    session.step(pack(0))
    copy = session.fork()
    second = copy.fork()
    states = [session.step(pack(0)), copy.step(pack(1)), second.step(pack(1, 1))]
    restartable.restart()
    third = copy.fork()
    assert third.step(b"").features == states[1].features
    for each, state in zip((session, copy, second), states, strict=True):
        again = each.step(b"")
        assert (again.decisions, again.features) == (state.decisions, state.features)
    for each in (session, copy, second, third):
        each.close()
    service.close()


def test_a_copy_that_was_not_attached_to_is_made_again(
    restartable: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlcompiler_gym.client.remote_session import GrpcSession

    service = restartable.server.service()
    session = service.open(inlining(), CALLS)
    state = session.step(pack(0, 1))
    attach = GrpcSession._attach

    def restart_first(twin: GrpcSession, token: bytes) -> None:
        restartable.restart()
        attach(twin, token)

    with monkeypatch.context() as patched:
        patched.setattr(GrpcSession, "_attach", restart_first)
        copy = session.fork()
    assert copy.step(b"").features == state.features
    assert session.step(b"").features == state.features
    for each in (copy, session):
        each.close()
    service.close()


def test_an_environment_does_not_notice(restartable: Restartable) -> None:
    def play(restart: bool) -> tuple[list[float], bytes]:
        env = gymnasium.make(
            "mlcompiler/Inlining-v0",
            programs="kernels/lz",
            service=restartable.server.url,
        ).unwrapped
        assert isinstance(env, CompilerEnv)
        env.reset(seed=0)
        env.action_space.seed(0)
        rewards: list[float] = []
        done = False
        while not done:
            if restart and len(rewards) == 5:
                restartable.restart()
            _, reward, done, truncated, _ = env.step(env.action_space.sample())
            assert not truncated
            rewards.append(reward)
        code = env.emit()
        env.close()
        return rewards, code

    assert play(restart=False) == play(restart=True)


def test_a_vector_environment_does_not_notice(restartable: Restartable) -> None:
    def play(restart: bool) -> list[np.ndarray]:
        envs = gymnasium.make_vec(
            "mlcompiler/Inlining-v0",
            num_envs=4,
            programs=SMALL,
            service=restartable.server.service(),
        )
        assert isinstance(envs, CompilerVectorEnv)
        envs.reset(seed=0)
        seen = []
        for step in range(12):
            if restart and step in (3, 7):
                restartable.restart()
            observation, *_ = envs.step(np.full(4, step % 2))
            seen.append(observation)
        envs.close()
        return seen

    np.testing.assert_array_equal(play(restart=False), play(restart=True))


def test_a_server_that_does_not_come_back(restartable: Restartable) -> None:
    service = restartable.server.service(reconnect=0.5)
    env = gymnasium.make(
        "mlcompiler/Inlining-v0", programs=SMALL, service=service
    ).unwrapped
    env.reset(seed=0)
    restartable.server.kill()
    began = time.monotonic()
    _, _, terminated, truncated, info = env.step(0)
    assert time.monotonic() - began < 10
    assert (terminated, truncated) == (False, True)
    assert info["error_code"] == "SESSION_LOST"
    assert "mlcompiler-gym serve" in info["error"]
    with pytest.raises(ServiceUnavailableError, match="cannot be reached"):
        env.reset(seed=0)
    env.close()
    restartable.server = ServerProcess(
        restartable._folder, port=restartable.server.port
    )
    env.reset(seed=0)
    env.step(0)
    env.close()
    service.close()


def test_a_killed_session_is_lost_and_not_repeated(restartable: Restartable) -> None:
    # It may have been killed for what it did: it is not done again.
    service = restartable.server.service()
    session = service.open(inlining(), CALLS)
    other = service.open(inlining(), CALLS)
    psutil.Process(session.opened.pid).kill()
    with fails("SESSION_LOST", "killed from outside", ended=True):
        session.step(pack(0))
    with fails("SESSION_LOST", ended=True):
        session.step(pack(0))
    assert other.step(pack(0)).decisions == 1
    other.close()
    service.close()


def test_a_nursery_that_is_killed_is_started_again(restartable: Restartable) -> None:
    service = restartable.server.service()
    session = service.open(inlining(), CALLS)
    nursery = restartable.server.nursery()
    nursery.kill()
    # Sessions are processes of their own and go on; so does the server.
    assert session.step(pack(0)).decisions == 1
    again = service.open(inlining(), CALLS)
    assert again.step(pack(0)).decisions == 1
    assert restartable.server.nursery().pid != nursery.pid
    for each in (session, again):
        each.close()
    service.close()


def test_ctrl_c_while_a_server_is_looked_for(restartable: Restartable) -> None:
    service = restartable.server.service(reconnect=60)
    session = service.open(inlining(pipeline=ENDLESS), SLOW)
    session.send(pb.Request(step=pb.Step(actions=pack(*[0] * 8))).SerializeToString())
    restartable.server.kill()
    main = threading.main_thread().ident
    assert main is not None
    import signal

    threading.Timer(1.0, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        session.receive()
    with fails("SESSION_LOST", "interrupted"):
        session.step(b"")
    service.close()


@pytest.mark.parametrize("what", ["features", "decisions"])
def test_a_replay_that_comes_out_differently_is_lost(
    restartable: Restartable, what: str
) -> None:
    service = restartable.server.service()
    session = service.open(inlining(), CALLS)
    state = session.step(pack(0))
    # As if another version of the service had answered before.
    seen = session._history.state  # type: ignore[attr-defined]
    if what == "features":
        seen.features = bytes(b ^ 1 for b in state.features)
    else:
        seen.decisions = state.decisions + 1
    restartable.restart()
    with fails("SESSION_LOST", "led elsewhere", ended=True):
        session.step(pack(0))
    service.close()
