# SPDX-License-Identifier: Apache-2.0
"""A machine that has no process left when the service wants one."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support.regalloc import answer_all, by_features, opening, two
from support.samples import (
    CALLS,
    SLOW,
    fails,
    inlining,
    pack,
    receive_within,
    run,
    upload,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)

#: In the place of libc's: one fork of each process of a generation fails.
FORK_C = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int generation, forks;
pid_t fork(void) {
  int failing_generation, failing_fork;
  sscanf(getenv("FORK_THAT_FAILS"), "%d %d", &failing_generation, &failing_fork);
  if (generation == failing_generation && ++forks == failing_fork) {
    errno = EAGAIN;
    return -1;
  }
  pid_t pid = ((pid_t (*)(void))dlsym(RTLD_NEXT, "fork"))();
  generation += pid == 0;
  return pid;
}
"""
#: Generations: the service, and the sessions that it forks.
SERVICE, SESSION = 0, 1

Failing = Callable[[int, int], LocalService]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shim")
    (folder / "fork.c").write_text(FORK_C)
    command = ["clang-22", "-shared", "-fPIC", "-o", "fork.so", "fork.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "fork.so"


@pytest.fixture
def failing(shim: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """A service in which the n-th fork of each process of a generation fails."""
    with ExitStack() as stack:

        def make(generation: int, fork: int) -> LocalService:
            monkeypatch.setenv("FORK_THAT_FAILS", f"{generation} {fork}")
            monkeypatch.setenv("LD_PRELOAD", str(shim))
            service = stack.enter_context(closing(LocalService()))
            service.describe()  # so that it is started
            monkeypatch.delenv("LD_PRELOAD")
            return service

        yield make


def test_no_process_for_a_session(failing: Failing) -> None:
    service = failing(SERVICE, 1)
    with fails("RESOURCE_EXHAUSTED", "no process could be made for the session"):
        service.open(inlining(park=True), CALLS)
    assert run(service) == run(LocalService.shared())


def test_no_process_for_a_copy(failing: Failing) -> None:
    service = failing(SESSION, 1)
    with closing(service.open(inlining(), CALLS)) as session:
        state = session.step(pack(0))
        with fails("RESOURCE_EXHAUSTED", "no process", "for the fork", ended=False):
            session.fork()
        with closing(session.fork()) as copy:
            assert copy.step(b"").features == state.features
        assert session.step(pack(1)).decisions == 2


def test_no_process_to_park(failing: Failing) -> None:
    service = failing(SESSION, 1)
    for _ in range(2):
        with closing(service.open(inlining(park=True), CALLS)) as session:
            assert not session.opened.from_parked
    assert run(service, park=True) == run(LocalService.shared())


def test_who_waits_for_what_cannot_be_parked(failing: Failing) -> None:
    service = failing(SESSION, 1)
    with closing(service.connect()) as uploader:
        upload(uploader, SLOW)
    pipeline = "function(" + "instcombine," * 30 + "gvn),default<Oz>"
    request = inlining(park=True, pipeline=pipeline, program_sha256=SLOW.sha256)
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(service.connect())) for _ in range(3)]
        for stream in streams:
            stream.send(pb.Request(open=request).SerializeToString())
        # All of them, while the first is open.
        for stream in streams:
            assert receive_within(stream, 30).open.state.HasField("features")


def test_no_process_from_what_is_parked(failing: Failing) -> None:
    service = failing(SESSION, 2)

    def opened() -> bool:
        with closing(service.open(inlining(park=True), CALLS)) as session:
            return session.opened.from_parked

    assert not opened()
    with fails("RESOURCE_EXHAUSTED", "no process could be made for the session"):
        opened()
    assert opened()


def test_no_process_to_park_a_module(failing: Failing) -> None:
    service = failing(SESSION, 1)
    request = opening("regalloc_eviction", park=True, function="first")
    program = two()
    taken = []
    for each in (service, service, LocalService.shared()):
        with closing(each.open(request, program)) as session:
            answer_all(session, by_features("regalloc_eviction"))
            taken.append(session.emit("assembly"))
    assert taken[0] == taken[1] == taken[2]
