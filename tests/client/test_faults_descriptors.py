# SPDX-License-Identifier: Apache-2.0
"""What comes with descriptors: the service's control socket, and Fork."""

from __future__ import annotations

import array
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import hypothesis
import hypothesis.strategies as st
import psutil
import pytest
from support.samples import (
    CALLS,
    Sibling,
    alternate,
    fails,
    finish,
    idle_descriptors,
    inlining,
    receive_within,
    run,
    wait_until,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    pid = service.pid
    yield sibling
    sibling.check()
    assert run(service).object_code
    assert service.pid == pid, "the service had to be started again"


@pytest.fixture
def control(service: LocalService, sibling: Sibling) -> socket.socket:
    """The client's end of the control socket."""
    assert service._control is not None
    return service._control


def rights(*descriptors: int) -> list[tuple[int, int, array.array[int]]]:
    if not descriptors:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]


@hypothesis.settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(data=st.binary(min_size=1, max_size=3000))
def test_datagrams_without_a_descriptor(control: socket.socket, data: bytes) -> None:
    control.send(data)


def test_an_empty_datagram(control: socket.socket) -> None:
    control.send(b"")


@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_descriptors_that_are_no_stream(
    service: LocalService, control: socket.socket, count: int
) -> None:
    assert service.pid is not None
    before = idle_descriptors(service.pid)
    reader, writer = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    listener = socket.socket(socket.AF_UNIX)
    try:
        for descriptor in (
            reader,
            writer,
            null,
            listener.fileno(),
        ):
            control.sendmsg([b"c"], rights(*[descriptor] * count))
        assert run(service).object_code
    finally:
        for descriptor in (reader, writer, null):
            os.close(descriptor)
        listener.close()
    assert idle_descriptors(service.pid) == before


def test_a_client_that_never_speaks(service: LocalService) -> None:
    streams = [service.connect() for _ in range(50)]
    assert run(service).object_code
    for stream in streams:
        stream.close()


def test_a_fork_without_its_socket(service: LocalService) -> None:
    with closing(service.open(inlining(), CALLS)) as session:
        with fails("INVALID_ARGUMENT", "socket", ended=False):
            session.call(pb.Request(fork=pb.Fork()))
        assert finish(session, session.opened.state, alternate) == run(service)


def test_a_socket_that_nobody_asked_for_is_closed(service: LocalService) -> None:
    """Descriptors belong to the request that they came with."""
    with closing(service.open(inlining(), CALLS)) as session:
        before = idle_descriptors(session.opened.pid)
        request = pb.Request(observe=pb.Observe()).SerializeToString()
        frame = len(request).to_bytes(4, "little") + request
        ours, theirs = socket.socketpair()
        with ours, socket.socket(fileno=os.dup(session.fileno())) as stream:
            with theirs:
                socket.send_fds(stream, [frame], [theirs.fileno()])
            session.receive()
            # If it were kept, it would become the socket of the next fork.
            with closing(session.fork()) as twin:
                twin.send(pb.Request(observe=pb.Observe()).SerializeToString())
                twin_process = psutil.Process(session.opened.pid).children()
                assert len(twin_process) == 1
                assert receive_within(twin, 5).HasField("observe")
                assert finish(twin, session.opened.state, alternate) == run(service)
        assert idle_descriptors(session.opened.pid) == before


def test_a_fork_onto_a_closed_socket_ends(service: LocalService) -> None:
    with closing(service.open(inlining(), CALLS)) as session:
        process = psutil.Process(session.opened.pid)
        for _ in range(5):
            session.fork().close()
        wait_until(lambda: not process.children(), "the forks have ended")
        time.sleep(0.05)
        assert finish(session, session.opened.state, alternate) == run(service)
