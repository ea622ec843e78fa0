# SPDX-License-Identifier: Apache-2.0
"""Sessions and the service killed, stopped or hurried at the worst moment.

Each ends its own session with an error that says what and why. A sibling, in
the middle of a compile of its own, must not notice.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import gymnasium
import psutil
import pytest
from samples import (
    CALLS,
    ENDLESS,
    ENDLESS_PASS,
    SLOW,
    Sibling,
    alternate,
    fails,
    finish,
    inlining,
    pack,
    receive_within,
    run,
    upload,
    wait_until,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.service import Session, local
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)

FATAL = [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGTERM]
STEP = pb.Request(step=pb.Step(actions=pack(*[0] * 8))).SerializeToString()


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    yield sibling
    sibling.check()


def pid_of(env: CompilerEnv) -> int:
    return int(env.session.opened.pid)


def wait_for_compile(session: Session) -> None:
    """Wait until the session works, and has done so for a while."""
    process = psutil.Process(session.opened.pid)
    before = process.cpu_times().user
    wait_until(lambda: process.cpu_times().user > before + 0.2, "it compiles")


@pytest.fixture
def compiling(service: LocalService) -> Iterator[Session]:
    """A session in the middle of a step that takes minutes."""
    with closing(service.open(inlining(pipeline=ENDLESS), SLOW)) as session:
        session.send(STEP)
        wait_for_compile(session)
        yield session


# -- Signals to a session ----------------------------------------------------


@pytest.mark.parametrize("number", FATAL, ids=lambda number: number.name)
def test_a_signal_in_the_middle_of_a_pass(
    compiling: Session, number: signal.Signals
) -> None:
    os.kill(compiling.opened.pid, number)
    words = (number.name, ENDLESS_PASS, "slow", "only this session is lost")
    with fails("CRASHED", *words, ended=True) as caught:
        compiling.receive()
    assert caught[0].signal == number.name
    assert caught[0].pass_name == f"{ENDLESS_PASS} on slow"
    with fails("SESSION_LOST", number.name, "reset", ended=True):
        compiling.step(pack(0))


def test_kill_in_the_middle_of_a_pass(compiling: Session) -> None:
    os.kill(compiling.opened.pid, signal.SIGKILL)
    with fails("SESSION_LOST", "killed", ended=True):
        compiling.receive()


@pytest.mark.parametrize("number", FATAL, ids=lambda number: number.name)
def test_a_signal_between_requests(
    service: LocalService, number: signal.Signals
) -> None:
    session = service.open(inlining(), CALLS)
    os.kill(session.opened.pid, number)
    with fails("CRASHED", number.name, "InlinerPass", ended=True) as caught:
        session.step(pack(0))
    assert caught[0].signal == number.name


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_killed_session_ends_the_episode(
    make: Callable[..., CompilerEnv], number: signal.Signals
) -> None:
    env = make(programs=CALLS)
    env.reset()
    env.step(1)
    os.kill(pid_of(env), number)
    observation, reward, terminated, truncated, info = env.step(0)
    assert env.observation_space.contains(observation)
    assert (reward, terminated, truncated) == (0.0, False, True)
    expected = "CRASHED" if number == signal.SIGSEGV else "SESSION_LOST"
    assert info["error_code"] == expected
    assert info["error"]
    assert env.stats.crashes == 1
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset()
    assert env.step(0)[2:4] == (False, False)


def test_a_session_of_a_vector_environment_is_killed(service: LocalService) -> None:
    envs = gymnasium.make_vec(
        "mlcompiler/Inlining-v0", num_envs=3, programs=CALLS, service=service
    )
    with closing(envs):
        envs.reset(seed=0)
        victim = envs.sessions[1]  # type: ignore[attr-defined]
        os.kill(victim.opened.pid, signal.SIGKILL)
        *_, terminated, truncated, info = envs.step([0, 0, 0])
        assert list(truncated) == [False, True, False]
        assert not terminated.any()
        assert info["error_code"][1] == "SESSION_LOST"
        for _ in range(9):
            *_, truncated, info = envs.step([0, 0, 0])
            assert not truncated.any()


def test_a_stopped_session_is_given_up(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The service has half a minute to report the deadline; not in a test.
    monkeypatch.setattr(local, "_GRACE", 0.5)
    session = service.open(inlining(limits=pb.Limits(deadline_ms=500)), CALLS)
    os.kill(session.opened.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with fails("DEADLINE_EXCEEDED", "500 ms", "stopped", ended=True):
            session.step(pack(0))
        assert 0.9 < time.monotonic() - began < 5
    finally:
        os.kill(session.opened.pid, signal.SIGCONT)


def test_a_stopped_session_of_a_vector_environment_is_given_up(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_GRACE", 0.5)
    envs = gymnasium.make_vec(
        "mlcompiler/Inlining-v0",
        num_envs=2,
        programs=CALLS,
        service=service,
        deadline=0.5,
    )
    with closing(envs):
        envs.reset(seed=0)
        pid = envs.sessions[1].opened.pid  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
        # Bounds the test: with it, the session goes on after ten seconds.
        waker = os.posix_spawn(
            "/bin/sh", ["sh", "-c", f"sleep 10; kill -CONT {pid}"], dict(os.environ)
        )
        try:
            began = time.monotonic()
            *_, truncated, info = envs.step([0, 0])
            assert time.monotonic() - began < 5
            assert list(truncated) == [False, True]
            assert info["error_code"][1] == "DEADLINE_EXCEEDED"
        finally:
            os.kill(pid, signal.SIGCONT)
            os.kill(waker, signal.SIGKILL)
            os.waitpid(waker, 0)


def test_stopping_for_a_while_changes_nothing(service: LocalService) -> None:
    session = service.open(inlining(), CALLS)
    os.kill(session.opened.pid, signal.SIGSTOP)
    session.send(pb.Request(step=pb.Step(actions=pack(0))).SerializeToString())
    time.sleep(0.2)
    os.kill(session.opened.pid, signal.SIGCONT)
    state = session.receive().step
    done = finish(session, state, alternate)
    session.close()
    assert done.object_code == run(service).object_code


# -- Deadlines ---------------------------------------------------------------


def test_a_deadline_ends_the_episode(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=SLOW, pipeline=ENDLESS, deadline=1.0)
    for _ in range(2):
        env.reset()
        for _ in range(7):
            assert not env.step(0)[3]
        began = time.monotonic()
        observation, reward, terminated, truncated, info = env.step(0)
        assert time.monotonic() - began < 5
        assert env.observation_space.contains(observation)
        assert (reward, terminated, truncated) == (0.0, False, True)
        assert info["error_code"] == "DEADLINE_EXCEEDED"
        assert "1000 ms" in info["error"]
        assert ENDLESS_PASS in info["error"]


def test_a_client_that_leaves_stops_its_compile(compiling: Session) -> None:
    pid = compiling.opened.pid
    compiling.close()
    wait_until(lambda: not psutil.pid_exists(pid), "the session has ended", 5)


# -- The service itself ------------------------------------------------------


def test_sessions_survive_their_service(
    service: LocalService, make: Callable[..., CompilerEnv]
) -> None:
    env = make(programs=CALLS)
    env.reset()
    old = service.pid
    assert old is not None
    expected = run(service)
    session = service.open(inlining(), CALLS)
    session.send(pb.Request(step=pb.Step(actions=pack(0))).SerializeToString())
    os.kill(old, signal.SIGKILL)
    state = session.receive().step
    assert finish(session, state, alternate).object_code == expected.object_code
    session.close()
    # Half an episode behind it, and the new service measures the baseline.
    while not (result := env.step(0))[2]:
        assert not result[3], result[4]
    assert env.observation_space.contains(env.reset()[0])
    assert env.step(0)[2:4] == (False, False)
    assert service.pid != old
    assert run(service) == expected


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.002, 0.01])
def test_the_service_is_killed_while_sessions_open(
    service: LocalService, delay: float
) -> None:
    expected = run(service)
    for _ in range(3):
        stream = service.connect()
        stream.close()
        time.sleep(delay)
        assert service.pid is not None
        os.kill(service.pid, signal.SIGKILL)
        with closing(service.open(inlining(park=True), CALLS)) as session:
            state = session.opened.state
            assert finish(session, state, alternate) == expected


def test_a_service_that_ends_on_its_own_is_described_again(
    service: LocalService,
) -> None:
    # No description has been asked for yet, and none is remembered.
    fresh = LocalService()
    fresh.connect().close()
    assert fresh.pid is not None
    os.kill(fresh.pid, signal.SIGKILL)
    assert fresh.describe().tasks
    fresh.close()


# -- Parked sessions ---------------------------------------------------------


def parked_sessions(service: LocalService, but: Sibling) -> list[psutil.Process]:
    children = psutil.Process(service.pid).children(recursive=True)
    return [child for child in children if child.pid != but.session.opened.pid]


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name
)
def test_a_parked_session_is_killed(
    service: LocalService, sibling: Sibling, number: signal.Signals
) -> None:
    expected = run(service, park=True)
    for _ in range(3):
        # Those of earlier runs are about to end.
        wait_until(
            lambda: len(parked_sessions(service, sibling)) == 1,
            "the parked session is alone",
        )
        parked_sessions(service, sibling)[0].send_signal(number)
        assert run(service, park=True) == expected


def test_clients_that_waited_for_a_killed_session_are_independent(
    service: LocalService,
) -> None:
    # Without the inliner the first decision never comes, so all but the first
    # wait for it to be parked.
    request = inlining(
        pipeline=ENDLESS.partition(",")[2], program_sha256=SLOW.sha256, park=True
    )
    uploader = service.connect()
    upload(uploader, SLOW)
    uploader.close()
    known = {p.pid for p in psutil.Process(service.pid).children()}

    def spawned() -> list[int]:
        children = psutil.Process(service.pid).children()
        return [p.pid for p in children if p.pid not in known]

    with ExitStack() as stack:
        streams = [stack.enter_context(closing(service.connect())) for _ in range(4)]
        for stream in streams:
            stream.send(pb.Request(open=request).SerializeToString())
        wait_until(lambda: len(spawned()) == 1, "one process compiles")
        os.kill(spawned()[0], signal.SIGKILL)
        with fails("SESSION_LOST"):
            receive_within(streams[0], 5)
        # Each of those who waited now has a process of its own; were one to hold
        # the socket of another, that one would wait for it in vain.
        wait_until(lambda: len(spawned()) == 3, "each has a process of its own")
        for process in spawned():
            os.kill(process, signal.SIGSTOP)
        try:
            last = max(spawned(), key=lambda pid: psutil.Process(pid).create_time())
            os.kill(last, signal.SIGKILL)
            with fails("SESSION_LOST"):
                receive_within(streams[3], 3)
        finally:
            for process in spawned():
                os.kill(process, signal.SIGCONT)
    wait_until(lambda: not spawned(), "no process is left")
