# SPDX-License-Identifier: Apache-2.0
"""The service or a parked session killed, at the worst moment.

A sibling, in the middle of a compile of its own, must not notice.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psutil
import pytest
from support.processes import processes_of
from support.samples import (
    CALLS,
    ENDLESS,
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
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    yield sibling
    sibling.check()


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


def test_a_killed_service_is_described_again() -> None:
    # Whether it is seen to be dead in time is a matter of chance.
    for _ in range(10):
        # No description has been asked for yet, and none is remembered.
        with closing(LocalService()) as fresh:
            fresh.connect().close()
            assert fresh.pid is not None
            os.kill(fresh.pid, signal.SIGKILL)
            assert fresh.describe().tasks


def test_a_service_ends_with_the_last_reference_to_it() -> None:
    dropped = LocalService()
    dropped.connect().close()
    pid = dropped.pid
    assert pid is not None
    assert psutil.pid_exists(pid)
    del dropped
    assert not psutil.pid_exists(pid)


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
        # Parked sessions of earlier runs are about to end.
        wait_until(
            lambda: len(parked_sessions(service, sibling)) == 1,
            "the parked session is alone",
        )
        parked_sessions(service, sibling)[0].send_signal(number)
        assert run(service, park=True) == expected


@pytest.mark.parametrize("order", [1, -1], ids=["oldest", "newest"])
def test_clients_that_waited_for_a_killed_session_are_independent(order: int) -> None:
    # Without the inliner the first decision never comes, so all but the first
    # wait for it to be parked.
    request = inlining(
        pipeline=ENDLESS.partition(",")[2], program_sha256=SLOW.sha256, park=True
    )
    with ExitStack() as stack:
        # With no processes but those of this test.
        service = stack.enter_context(closing(LocalService()))
        with closing(service.connect()) as uploader:
            upload(uploader, SLOW)

        def spawned() -> list[int]:
            assert service.pid is not None
            return [p for p in processes_of(service.pid) if p != service.pid]

        describe = pb.Request(describe=pb.Describe())
        streams = [stack.enter_context(closing(service.connect())) for _ in range(5)]
        for stream in streams:
            stream.call(describe)
        *streams, last = streams
        for stream in streams:
            stream.send(pb.Request(open=request).SerializeToString())
        # Once these are answered, all the others wait.
        for _ in range(2):
            last.call(describe)
        wait_until(lambda: len(spawned()) == 1, "one process compiles")
        [first] = spawned()
        os.kill(first, signal.SIGKILL)
        with fails("SESSION_LOST"):
            receive_within(streams[0], 5)
        # Each client that waited now has a process of its own. If one process held the
        # socket of another, the other's client would never see that one's end.
        wait_until(lambda: len(spawned()) == 3, "each has a process of its own")
        waiting = streams[1:]
        for process in sorted(spawned())[::order]:
            os.kill(process, signal.SIGKILL)
            lost, _, _ = select.select(waiting, [], [], 10)
            assert len(lost) == 1
            with fails("SESSION_LOST"):
                lost[0].receive()
            waiting.remove(lost[0])
        wait_until(lambda: not spawned(), "no process is left")
