# SPDX-License-Identifier: Apache-2.0
"""Sessions killed, stopped or hurried at the worst moment.

Each ends its own session with an error that says what and why. A sibling, in
the middle of a compile of its own, must not notice.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import gymnasium
import psutil
import pytest
from support.samples import (
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
    run,
    wait_until,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Session
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)

FATAL = [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGTERM]
STEP = pb.Request(step=pb.Step(actions=pack(*[0] * 8))).SerializeToString()


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    yield sibling
    sibling.check()


@pytest.fixture(params=["all", "one"])
def processors(request: pytest.FixtureRequest) -> Iterator[None]:
    """With one processor, a session waits for its replies in another way."""
    before = os.sched_getaffinity(0)
    if request.param == "one":
        os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


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


@pytest.mark.usefixtures("processors")
def test_a_signal_behind_a_reply_that_was_not_taken_yet(service: LocalService) -> None:
    session = service.open(inlining(), CALLS)
    expected = session.step(pack(0)).decisions
    # Long replies make the client ask for more at once.
    session.observe("ir")
    session.send(pb.Request(step=pb.Step()).SerializeToString())
    select.select([session.fileno()], [], [])
    process = psutil.Process(session.opened.pid)
    process.terminate()
    wait_until(lambda: not process.is_running(), "it ends")
    # Reply and report lie in the socket as one run of bytes.
    assert session.receive().step.decisions == expected
    with fails("CRASHED", "SIGTERM", "InlinerPass", ended=True):
        session.step(pack(0))


@pytest.mark.usefixtures("processors")
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


@pytest.mark.usefixtures("processors")
def test_a_stopped_session_is_given_up(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The service has half a minute to report the deadline; not in a test.
    monkeypatch.setattr("mlcompiler_gym.client.session.GRACE", 0.5)
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
    monkeypatch.setattr("mlcompiler_gym.client.session.GRACE", 0.5)
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


@pytest.mark.usefixtures("processors")
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
