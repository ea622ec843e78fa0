# SPDX-License-Identifier: Apache-2.0
"""Requests sent without waiting for replies, however the stream is cut and glued.

Replies come in order, and each Fork gets the socket that was sent with it: to an
open session, and to one that has yet to be opened, afresh or from a parked one.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

import hypothesis
import hypothesis.strategies as st
import psutil
import pytest
from support.processes import processes_of, wait_until
from support.samples import CALLS, SLOW, inlining, pack, receive_within, upload

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Session
from mlcompiler_gym.client.local_session import LocalSession
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

OBSERVE = pb.Request(observe=pb.Observe(names=["decision"]))
MEASURE = pb.Request(measure=pb.Measure(objectives=["text_size"]))
STATE = pb.Request(step=pb.Step())
STEP = pb.Request(step=pb.Step(actions=pack(0)))
FORK = pb.Request(fork=pb.Fork())
REQUESTS = [OBSERVE, MEASURE, STATE, STEP, FORK]


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalService]:
    """One service for all examples; what each leaves behind would add up."""
    service = LocalService()
    yield service
    pid = service.pid
    service.close()
    assert pid is not None
    assert wait_until(lambda: not processes_of(pid))


def frame(request: pb.Request) -> bytes:
    data = request.SerializeToString()
    return len(data).to_bytes(4, "little") + data


@dataclass(frozen=True)
class Script:
    """Requests as one stream, and the pieces that it is sent in."""

    requests: list[pb.Request]
    #: Where pieces end.
    cuts: list[int]
    #: For each Fork, the piece that its socket goes with.
    carriers: list[int]


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    requests = draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=8))
    ends: list[int] = []
    for request in requests:
        ends.append((ends[-1] if ends else 0) + len(frame(request)))
    cuts = draw(st.sets(st.integers(1, ends[-1]), max_size=6)) | {ends[-1]}
    forks = []
    for request, end in zip(requests, ends, strict=True):
        if request.HasField("fork"):
            # The last byte that goes with a socket is of the Fork.
            begin = end - len(frame(request))
            forks.append((begin, draw(st.integers(begin + 1, end))))
            cuts.add(forks[-1][1])
    order = sorted(cuts)
    return Script(requests, order, [order.index(at) for _, at in forks])


def send(stream: Session, script: Script) -> list[LocalSession]:
    """Send all of it; returns the clients' ends of the Forks' sockets."""
    data = b"".join(map(frame, script.requests))
    twins = []
    begin = 0
    with socket.socket(fileno=os.dup(stream.fileno())) as raw:
        for index, end in enumerate(script.cuts):
            if index in script.carriers:
                ours, theirs = socket.socketpair()
                with theirs:
                    socket.send_fds(raw, [data[begin:end]], [theirs.fileno()])
                twins.append(LocalSession(ours))
            else:
                raw.sendall(data[begin:end])
            begin = end
    return twins


def receive(stream: Session) -> pb.Reply:
    ready, _, _ = select.select([stream.fileno()], [], [], 20)
    assert ready, "no reply"
    with socket.socket(fileno=os.dup(stream.fileno())) as raw:
        size = int.from_bytes(raw.recv(4, socket.MSG_WAITALL), "little")
        reply = pb.Reply.FromString(raw.recv(size, socket.MSG_WAITALL))
    assert not reply.HasField("error"), reply.error.message
    return reply


def check(stream: Session, script: Script, twins: list[LocalSession]) -> None:
    """Each reply is the one to its request, each copy stands where it was made."""
    decisions = 0
    waiting = iter(twins)
    with ExitStack() as stack:
        for twin in twins:
            stack.enter_context(closing(twin))
        for request in script.requests:
            reply = receive(stream)
            kind = request.WhichOneof("request")
            assert reply.WhichOneof("reply") == kind
            if kind == "step":
                decisions += len(request.step.actions) // len(pack(0))
                assert reply.step.decisions == decisions
            elif kind == "fork":
                twin = next(waiting)
                twin.send(STATE.SerializeToString())
                assert receive(twin).step.decisions == decisions
        stream.send(STATE.SerializeToString())
        assert receive(stream).step.decisions == decisions


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(script=scripts())
def test_to_an_open_session(shared: LocalService, script: Script) -> None:
    with closing(shared.open(inlining(park=True), CALLS)) as session:
        check(session, script, send(session, script))


@pytest.mark.parametrize("park", [False, True])
@hypothesis.settings(deadline=None, max_examples=25)
@hypothesis.given(script=scripts(), prefix=st.booleans())
def test_together_with_open(
    shared: LocalService, park: bool, script: Script, prefix: bool
) -> None:
    request = pb.Request(open=inlining(park=park, program_sha256=CALLS.sha256))
    with closing(shared.connect()) as stream:
        upload(stream, CALLS)
        size = len(frame(request))
        whole = Script(
            [request, *script.requests],
            # The first piece is glued to the Open, unless it is sent by itself.
            ([size] if prefix else []) + [size + cut for cut in script.cuts],
            [index + prefix for index in script.carriers],
        )
        twins = send(stream, whole)
        assert receive(stream).HasField("open")
        check(stream, script, twins)


def test_while_the_session_is_parked(shared: LocalService) -> None:
    """Those who wait for another's Open are handed over with what they have sent."""
    request = pb.Request(
        open=inlining(
            park=True,
            program_sha256=SLOW.sha256,
            pipeline=f"function({'instcombine,' * 20}gvn),default<Oz>",
        )
    )
    first, last = len(frame(FORK)), len(frame(FORK) + frame(STEP) + frame(FORK))
    script = Script([FORK, STEP, FORK], [first, last], carriers=[0, 1])
    size = len(frame(request))
    glued = Script([request, *script.requests], [size + first, size + last], [0, 1])
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(shared.connect())) for _ in range(3)]
        upload(streams[0], SLOW)
        twins = [send(stream, glued) for stream in streams]
        parked = [receive(stream).open.from_parked for stream in streams]
        assert any(parked)
        for stream, forks in zip(streams, twins, strict=True):
            check(stream, script, forks)


def test_behind_an_open_of_a_program_that_went() -> None:
    """Who waited for another's Open in vain is heard on."""
    request = pb.Request(
        open=inlining(
            park=True,
            program_sha256=SLOW.sha256,
            # Minutes, and yet short enough for both requests to be read at once.
            pipeline=f"function({'slsr,' * 600}gvn)",
        )
    )
    describe = pb.Request(describe=pb.Describe())
    room = len(SLOW.bitcode) + len(CALLS.bitcode) - 1
    with (
        closing(LocalService(f"--program-bytes={room}")) as service,
        closing(service.connect()) as first,
        closing(service.connect()) as second,
        closing(service.connect()) as other,
    ):
        for stream in (second, other):
            stream.call(describe)
        upload(first, SLOW)
        first.send(request.SerializeToString())
        nursery = psutil.Process(service.pid)
        assert wait_until(lambda: len(nursery.children()) == 1)
        with socket.socket(fileno=os.dup(second.fileno())) as raw:
            raw.sendall(frame(request) + frame(describe))
        upload(other, CALLS)  # for which the other program goes
        nursery.children()[0].kill()
        with pytest.raises(ServiceError, match="upload it"):
            receive_within(second, 20)
        assert receive_within(second, 20).HasField("describe")


def test_a_socket_goes_with_the_last_byte_that_it_was_sent_with(
    shared: LocalService,
) -> None:
    """It is no earlier request's, nor a later one's."""
    with closing(shared.open(inlining(), CALLS)) as session:
        ours, theirs = socket.socketpair()
        with (
            closing(LocalSession(ours)),
            socket.socket(fileno=os.dup(session.fileno())) as raw,
        ):
            with theirs:
                socket.send_fds(raw, [frame(FORK) + frame(STATE)], [theirs.fileno()])
            raw.sendall(frame(FORK))
            kinds = []
            for _ in range(3):
                with suppress(ServiceError):
                    kinds.append(receive_within(session, 20).WhichOneof("reply"))
        # Neither of the Forks has had its socket.
        assert kinds == ["step"]
