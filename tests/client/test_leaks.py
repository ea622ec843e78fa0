# SPDX-License-Identifier: Apache-2.0
"""Nothing is left of sessions: no process, no descriptor, no memory."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest
from support.processes import processes_of
from support.samples import (
    CALLS,
    ENDLESS,
    SLOW,
    calls_ir,
    finish,
    idle_descriptors,
    inlining,
    ir_program,
    pack,
    run,
    upload,
    wait_until,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Session
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(280)

STEP = pb.Request(step=pb.Step(actions=pack(*[0] * 8))).SerializeToString()

#: How many sessions at once: an ordinary machine's worth, and many.
COUNTS = [50, pytest.param(200, marks=pytest.mark.slow)]


def open_many(service: LocalService, count: int) -> list[Session]:
    """Sessions of each kind: at a decision, finished, forked, compiling."""
    sessions: list[Session] = []
    while len(sessions) < count:
        kind = len(sessions) % 5
        if kind == 3 and sessions:
            sessions.append(sessions[-2].fork())
        elif kind == 4 and len(sessions) < 10:
            # Two cores can be kept busy by a few of these.
            session = service.open(inlining(pipeline=ENDLESS), SLOW)
            session.send(STEP)
            sessions.append(session)
        else:
            session = service.open(inlining(park=kind == 0), CALLS)
            sessions.append(session)
            if kind == 2:
                session.step(pack(*[1] * 8))
    return sessions


def close(service: LocalService, sessions: list[Session]) -> None:
    pass  # what follows for all of them


def kill(service: LocalService, sessions: list[Session]) -> None:
    assert service.pid is not None
    for pid in processes_of(service.pid):
        if pid != service.pid:
            os.kill(pid, signal.SIGKILL)


def crash(service: LocalService, sessions: list[Session]) -> None:
    assert service.pid is not None
    for pid in processes_of(service.pid):
        if pid != service.pid:
            os.kill(pid, signal.SIGSEGV)


def hang_up(service: LocalService, sessions: list[Session]) -> None:
    """Leave requests under way, and take no replies."""
    for session in sessions:
        session.send(STEP)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("end", [close, kill, crash, hang_up])
def test_nothing_is_left_of_many_sessions(
    count: int, end: Callable[[LocalService, list[Session]], None]
) -> None:
    service = LocalService("--parked-sessions=0")
    with closing(service):
        run(service)
        with closing(service.connect()) as stream:
            upload(stream, SLOW)
        assert service.pid is not None
        nursery = psutil.Process(service.pid)
        wait_until(lambda: len(processes_of(nursery.pid)) == 1, "it is alone")
        descriptors = idle_descriptors(nursery.pid)
        own = psutil.Process().num_fds()
        sizes = []
        for _ in range(3):
            sessions = open_many(service, count)
            assert len(processes_of(nursery.pid)) == count + 1
            end(service, sessions)
            for session in sessions:
                session.close()
            wait_until(
                lambda: len(processes_of(nursery.pid)) == 1, "the sessions have ended"
            )
            assert service.pid == nursery.pid
            assert idle_descriptors(nursery.pid) == descriptors
            assert psutil.Process().num_fds() == own
            assert not [c for c in nursery.children() if c.is_running()]
            sizes.append(nursery.memory_info().rss)
        assert sizes[-1] - sizes[0] < 4 << 20
    assert not processes_of(nursery.pid)


def test_parked_sessions_are_bounded_and_go_with_the_service() -> None:
    service = LocalService("--parked-sessions=3")
    with closing(service):
        for salt in range(8):
            program = ir_program(calls_ir(2, salt))
            for _ in range(2):
                service.open(inlining(park=True), program).close()
        assert service.pid is not None
        pid = service.pid
        wait_until(lambda: len(processes_of(pid)) == 4, "three are parked")
        # The one used least recently went first.
        session = service.open(inlining(park=True), ir_program(calls_ir(2, 7)))
        assert session.opened.from_parked
        session.close()
        session = service.open(inlining(park=True), ir_program(calls_ir(2, 0)))
        assert not session.opened.from_parked
        session.close()
    wait_until(lambda: not processes_of(pid), "nothing is left")


def test_programs_are_bounded() -> None:
    service = LocalService("--program-bytes=4000000", "--parked-sessions=0")
    with closing(service):
        texts = [calls_ir() + f"; {salt}\n" + "; x\n" * 300_000 for salt in range(4)]
        expected = run(service, ir_program(texts[0]))
        assert service.pid is not None
        nursery = psutil.Process(service.pid)
        sizes = []
        for text in texts * 4:
            # Each drives out the one before it last, and is uploaded once more.
            assert run(service, ir_program(text)) == expected
            sizes.append(nursery.memory_info().rss)
        assert max(sizes) - sizes[3] < 8 << 20


def test_streams_that_open_nothing_leave_nothing(service: LocalService) -> None:
    service.describe()
    assert service.pid is not None
    nursery = psutil.Process(service.pid)
    descriptors = idle_descriptors(nursery.pid)
    for _ in range(3):
        with ExitStack() as stack:
            streams = [
                stack.enter_context(closing(service.connect())) for _ in "x" * 200
            ]
            for stream in streams[:100]:
                stream.call(pb.Request(describe=pb.Describe()))
            for stream in streams[100:]:
                stream.send(b"\xff")
        wait_until(lambda: nursery.num_fds() == descriptors, "they are closed")


def test_a_reset_leaves_one_session(service: LocalService) -> None:
    session = service.open(inlining(park=True), CALLS)
    assert service.pid is not None
    pid = service.pid
    for _ in range(30):
        session.close()
        session = service.open(inlining(park=True), CALLS)
        finish(session, session.opened.state, lambda _: 0)
    # The service, the parked session, and this one.
    wait_until(lambda: len(processes_of(pid)) == 3, "the others have ended")
    session.close()


@pytest.fixture
def first_process() -> Iterator[None]:
    """Orphans are ours, as if we were process 1 of a container."""
    libc = ctypes.CDLL(None, use_errno=True)
    subreaper = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
    assert libc.prctl(subreaper, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    yield
    libc.prctl(subreaper, 0, 0, 0, 0)


@pytest.mark.usefixtures("first_process")
def test_a_copy_that_outlives_its_original_leaves_no_zombie(
    service: LocalService,
) -> None:
    session = service.open(inlining(), CALLS)
    copy = session.fork()
    pids = [process.pid for process in psutil.Process(service.pid).children(True)]
    assert len(pids) == 2
    session.close()
    wait_until(lambda: sum(map(psutil.pid_exists, pids)) == 1, "the original has ended")
    finish(copy, session.opened.state, lambda _: 0)
    copy.close()
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), "the copy is reaped")


CLIENT = """
import sys, time
from test_leaks import open_many
from mlcompiler_gym import LocalService
service = LocalService()
sessions = open_many(service, int(sys.argv[1]))
print(service.pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_killed_client(
    tmp_path: Path, count: int, number: signal.Signals
) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    client = subprocess.Popen(
        [sys.executable, script, str(count)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        # KeyboardInterrupt's traceback is of no interest.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with client:
        assert client.stdout is not None
        pid = int(client.stdout.readline())
        # All of them, the service, and one that is parked.
        assert len(processes_of(pid)) == count + 2
        client.send_signal(number)
    wait_until(lambda: not processes_of(pid), "nothing is left", 15)
