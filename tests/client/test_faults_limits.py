# SPDX-License-Identifier: Apache-2.0
"""A service without memory, descriptors or processes for what a client wants.

Each time that one request is refused, with the limit and the way out; sessions go
on, and with what others give back, so does everything else.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import psutil
import pytest
from support.processes import wait_until
from support.samples import (
    CALLS,
    Sibling,
    calls_ir,
    fails,
    idle_descriptors,
    inlining,
    ir_program,
    receive_within,
    run,
    upload,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

MIB = 1 << 20
Limited = Callable[..., LocalService]


@pytest.fixture
def limited() -> Iterator[Limited]:
    """A service with options, and limits of the operating system on its processes."""
    with ExitStack() as stack:

        def make(*options: str, descriptors: int | None = None) -> LocalService:
            service = stack.enter_context(closing(LocalService(*options)))
            service.describe()  # so that it is started
            assert service.pid is not None
            if descriptors is not None:
                limit = (descriptors, descriptors)
                resource.prlimit(service.pid, resource.RLIMIT_NOFILE, limit)
            return service

        yield make


def memory(service: LocalService) -> int:
    return psutil.Process(service.pid).memory_info().rss


def raw(service: LocalService) -> socket.socket:
    ours = service.connect_socket()
    ours.settimeout(20)
    return ours


def reply(stream: socket.socket) -> pb.Reply:
    size = int.from_bytes(stream.recv(4, socket.MSG_WAITALL), "little")
    return pb.Reply.FromString(stream.recv(size, socket.MSG_WAITALL))


# -- Memory ------------------------------------------------------------------


def test_uploads_that_never_end(limited: Limited) -> None:
    """Twenty clients send 6 MiB each of 100, where there is room for 32."""
    service = limited(f"--nursery-bytes={32 * MIB}")
    sibling = Sibling(service)
    before = memory(service)
    refused = 0
    with ExitStack() as stack:
        streams = [stack.enter_context(raw(service)) for _ in range(20)]
        for stream in streams:
            with suppress(BrokenPipeError, ConnectionResetError):
                stream.sendall((100 * MIB).to_bytes(4, "little") + bytes(6 * MIB))
        # Sessions are opened and go on meanwhile.
        sibling.check()
        assert run(service).object_code
        assert memory(service) - before < 64 * MIB
        for stream in streams:
            stream.setblocking(False)
            with suppress(BlockingIOError):
                stream.recv(1, socket.MSG_PEEK)
                error = reply(stream).error
                assert error.code == pb.RESOURCE_EXHAUSTED
                assert "--nursery-bytes" in error.message
                assert error.session_ended
                refused += 1
    assert 10 <= refused <= 16
    # They have gone, and there is room again.
    with closing(service.connect()) as session:
        program = ir_program(calls_ir() + "; x\n" * MIB)
        assert wait_until(lambda: upload(session, program) == program.sha256)


def test_describes_that_are_too_large(limited: Limited) -> None:
    service = limited(f"--nursery-bytes={8 * MIB}")
    sibling = Sibling(service)
    before = memory(service)
    actions = "\n".join(["mem2reg"] * (4 * MIB // 8))
    large = pb.Describe(
        task="pass_ordering", options=[pb.Option(name="actions", value=actions)]
    )
    with closing(service.connect()) as stream:
        for _ in range(10):
            with fails("RESOURCE_EXHAUSTED", "--nursery-bytes", ended=False):
                stream.call(pb.Request(describe=large))
        # The stream goes on.
        described = stream.call(pb.Request(describe=pb.Describe()))
        assert described.describe.tasks
    assert memory(service) - before < 64 * MIB
    sibling.check()


def test_replies_that_nobody_takes(limited: Limited) -> None:
    service = limited(f"--nursery-bytes={4 * MIB}")
    sibling = Sibling(service)
    before = memory(service)
    request = pb.Request(describe=pb.Describe()).SerializeToString()
    frame = len(request).to_bytes(4, "little") + request
    with ExitStack() as stack:
        streams = [stack.enter_context(raw(service)) for _ in range(40)]
        for stream in streams:
            stream.setblocking(False)
            with suppress(BlockingIOError):
                stream.sendall(frame * 5000)
        assert run(service).object_code
        assert memory(service) - before < 40 * MIB
        sibling.check()


# -- Descriptors -------------------------------------------------------------


def test_no_descriptor_for_a_client(limited: Limited) -> None:
    service = limited(descriptors=24)
    assert service.pid is not None
    sibling = Sibling(service)
    before = idle_descriptors(service.pid)
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(service.connect())) for _ in range(40)]
        for stream in streams:
            stream.send(pb.Request(describe=pb.Describe()).SerializeToString())
        for stream in streams[:10]:
            assert receive_within(stream, 20).HasField("describe")
        for stream in streams[-10:]:
            with fails("RESOURCE_EXHAUSTED", "24", "ulimit -n", ended=True):
                receive_within(stream, 20)
        sibling.check()
    pid = service.pid
    assert wait_until(lambda: idle_descriptors(pid) == before)
    assert run(service).object_code


def test_parked_sessions_give_way_to_clients(limited: Limited) -> None:
    """Each takes a descriptor; that is no reason to refuse anybody."""
    service = limited(descriptors=16)
    for salt in range(30):
        with closing(
            service.open(inlining(park=True), ir_program(calls_ir(2, salt)))
        ) as session:
            assert session.opened.state.features
    with closing(service.open(inlining(park=True), ir_program(calls_ir(2, 29)))) as s:
        assert s.opened.from_parked


def test_no_descriptor_for_a_fork(service: LocalService) -> None:
    with closing(service.open(inlining(), CALLS)) as session:
        pid = session.opened.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = psutil.Process(pid).num_fds()
        # What it has stays open, its standard streams among them.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        for _ in range(3):
            with fails("RESOURCE_EXHAUSTED", "3", "ulimit -n", ended=False):
                session.fork()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        with closing(session.fork()) as twin:
            assert twin.step(b"").features == session.step(b"").features
        assert psutil.Process(pid).num_fds() == used
