# SPDX-License-Identifier: Apache-2.0
"""Garbage on the sockets: bytes that are no message, and messages at random.

The client is told, or the stream ends; the service and a sibling, in the middle
of a compile of its own, must not notice.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import hypothesis
import hypothesis.strategies as st
import psutil
import pytest
from support.samples import CALLS, Sibling, inlining, run, upload

from mlcompiler_gym import LocalService
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

ARBITRARY = hypothesis.settings(
    deadline=None,
    max_examples=60,
    # The service outlives an example on purpose: that is what is tested.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    upload_calls(service)
    pid = service.pid
    yield sibling
    assert service.pid == pid
    sibling.check()
    assert run(service).object_code
    assert service.pid == pid, "the service had to be started again"


def upload_calls(service: LocalService) -> None:
    stream = service.connect()
    upload(stream, CALLS)
    stream.close()


def frame(message: bytes) -> bytes:
    return struct.pack("<I", len(message)) + message


OPEN = frame(pb.Request(open=inlining(program_sha256=CALLS.sha256)).SerializeToString())


def raw(service: LocalService) -> socket.socket:
    """A stream to the service, as bare as it comes."""
    session = service.connect()
    ours = socket.socket(fileno=os.dup(session.fileno()))
    session.close()
    ours.settimeout(10)
    return ours


def opened(service: LocalService) -> socket.socket:
    ours = raw(service)
    ours.sendall(OPEN)
    assert receive(ours).HasField("open")
    return ours


def read(ours: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            more = ours.recv(size - len(data))
        except ConnectionResetError:
            more = b""
        if not more:
            raise EOFError
        data += more
    return data


def receive(ours: socket.socket) -> pb.Reply:
    return pb.Reply.FromString(read(ours, struct.unpack("<I", read(ours, 4))[0]))


def drain(ours: socket.socket) -> list[pb.Reply]:
    """Every reply up to the end of the stream, which must come."""
    ours.shutdown(socket.SHUT_WR)
    replies = []
    try:
        while True:
            replies.append(receive(ours))
    except EOFError:
        return replies
    finally:
        ours.close()


def send(ours: socket.socket, data: bytes) -> None:
    # The service may have heard enough already.
    with suppress(BrokenPipeError, ConnectionResetError):
        ours.sendall(data)


@pytest.mark.parametrize("open_first", [False, True], ids=["fresh", "open"])
class TestBytes:
    @ARBITRARY
    @hypothesis.given(data=st.binary(max_size=5000))
    def test_bytes(self, service: LocalService, open_first: bool, data: bytes) -> None:
        ours = opened(service) if open_first else raw(service)
        send(ours, data)
        for reply in drain(ours):
            assert reply.HasField("error")
            assert reply.error.message

    @ARBITRARY
    @hypothesis.given(kind=st.sampled_from([6, 7]), data=st.binary(max_size=300))
    def test_frames_that_hold_no_message(
        self, service: LocalService, open_first: bool, kind: int, data: bytes
    ) -> None:
        # A field of a kind that there is not. (On what else is no message,
        # implementations of protocol buffers differ.)
        ours = opened(service) if open_first else raw(service)
        send(ours, frame(bytes([1 << 3 | kind]) + data))
        (reply,) = drain(ours)
        assert reply.error.code == pb.MALFORMED_REQUEST
        assert reply.error.session_ended

    @pytest.mark.parametrize("length", [2**28 + 1, 2**31 - 1, 2**31, 2**32 - 1])
    def test_a_huge_length(
        self, service: LocalService, open_first: bool, length: int
    ) -> None:
        ours = opened(service) if open_first else raw(service)
        send(ours, struct.pack("<I", length) + b"x" * 100)
        (reply,) = drain(ours)
        expected = pb.MALFORMED_REQUEST if open_first else pb.RESOURCE_EXHAUSTED
        assert reply.error.code == expected
        assert reply.error.session_ended

    def test_a_length_alone_takes_no_memory(
        self, service: LocalService, open_first: bool
    ) -> None:
        before = psutil.Process(service.pid).memory_info().rss
        streams = [opened(service) if open_first else raw(service) for _ in range(8)]
        for ours in streams:
            ours.sendall(struct.pack("<I", 2**28) + b"x" * 10_000)
        assert run(service).object_code
        assert psutil.Process(service.pid).memory_info().rss - before < 50 << 20
        for ours in streams:
            assert drain(ours) == []

    @pytest.mark.parametrize("size", [1, 3, 4, 5, 20, -1])
    def test_half_a_message_then_the_end(
        self, service: LocalService, open_first: bool, size: int
    ) -> None:
        ours = opened(service) if open_first else raw(service)
        ours.sendall(OPEN[:size])
        assert drain(ours) == []

    def test_a_message_in_single_bytes(
        self, service: LocalService, open_first: bool
    ) -> None:
        ours = opened(service) if open_first else raw(service)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        for value in OPEN:
            ours.sendall(bytes([value]))
        reply = receive(ours)
        assert reply.HasField("error" if open_first else "open")
        assert drain(ours) == []


# -- Well-formed messages at random ------------------------------------------

NAMES = st.sampled_from(
    ["", "ir", "decision", "decisions", "text_size", "ir_instructions", "inlining"]
) | st.text(max_size=8)
NAME_LISTS = st.lists(NAMES, max_size=4)
BYTES = st.binary(max_size=40)
OPENS = st.builds(
    pb.Open,
    task=NAMES,
    program_sha256=st.sampled_from([CALLS.sha256, b"", b"x" * 32]),
    pipeline=st.sampled_from(["", "default<Oz>", "verify", ")(", "a" * 1000])
    | st.text(max_size=20),
    target_triple=st.sampled_from(["", "x86_64-pc-linux-gnu", "aarch64", "-", "\n"])
    | st.text(max_size=20),
    cpu=st.sampled_from(["", "skylake", "help", "native"]) | st.text(max_size=8),
    objectives=NAME_LISTS,
    observations=NAME_LISTS,
    options=st.lists(st.builds(pb.Option, name=NAMES, value=NAMES), max_size=2),
    park=st.booleans(),
    limits=st.builds(
        pb.Limits,
        memory_bytes=st.integers(0, 2**64 - 1),
        deadline_ms=st.integers(0, 2**32 - 1),
    ),
)
REQUESTS = st.one_of(
    st.builds(pb.Request, describe=st.builds(pb.Describe)),
    st.builds(pb.Request, upload=st.builds(pb.Upload, program=BYTES)),
    st.builds(pb.Request, open=OPENS, deadline_ms=st.sampled_from([0, 1, 2**32 - 1])),
    st.builds(pb.Request, step=st.builds(pb.Step, actions=BYTES)),
    st.builds(
        pb.Request,
        step=st.builds(
            pb.Step,
            actions=st.lists(st.integers(0, 1), max_size=5).map(
                lambda actions: struct.pack(f"<{len(actions)}q", *actions)
            ),
        ),
    ),
    # Without the descriptor that it should carry.
    st.builds(pb.Request, fork=st.builds(pb.Fork)),
    st.builds(pb.Request, observe=st.builds(pb.Observe, names=NAME_LISTS)),
    st.builds(pb.Request, measure=st.builds(pb.Measure, objectives=NAME_LISTS)),
    st.builds(
        pb.Request, emit=st.builds(pb.Emit, format=st.sampled_from([0, 1, 2, 3, 4, -1]))
    ),
    st.builds(pb.Request),
)


@pytest.mark.parametrize("open_first", [False, True], ids=["fresh", "open"])
@ARBITRARY
@hypothesis.given(requests=st.lists(REQUESTS, max_size=12))
def test_every_request_gets_one_reply_until_the_session_ends(
    service: LocalService, open_first: bool, requests: list[pb.Request]
) -> None:
    ours = opened(service) if open_first else raw(service)
    for request in requests:
        send(ours, frame(request.SerializeToString()))
    replies = drain(ours)
    for index, reply in enumerate(replies):
        sent = requests[index].WhichOneof("request")
        if reply.HasField("error"):
            assert reply.error.message
            assert reply.error.code != pb.ERROR_CODE_UNSPECIFIED
            if reply.error.session_ended:
                assert index == len(replies) - 1
        else:
            assert reply.WhichOneof("reply") == sent
    ended = replies and replies[-1].error.session_ended
    assert ended or len(replies) == len(requests)
