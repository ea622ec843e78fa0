# SPDX-License-Identifier: Apache-2.0
"""Bytes that no client of ours would send: the server answers, and goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import CALLS, inlining, run, wait_until
from support.strategies import examples
from support.wire import VALID, Wire

from mlcompiler_gym.client import Service, frames
from mlcompiler_gym.server import Server
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import relay_pb2 as relay

#: Messages of one example.
_BATCH = 40
#: Bytes of one example of random bytes.
_BYTES = 2000


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid request with some of its bytes changed, left out or repeated."""
    message = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(message)))
        kind = draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set" and at < len(message):
            message[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del message[at : at + draw(st.integers(1, 20))]
        elif kind == "insert":
            message[at:at] = draw(st.binary(min_size=1, max_size=10))
        else:
            message += message[at:]
    return bytes(message)


def replies_of(batches: list[bytes]) -> Iterator[tuple[int, bytes | None]]:
    unpacker = frames.Unpacker(1 << 40)
    for batch in batches:
        yield from unpacker.unpack(batch)


def check_sessions(port: int, messages: list[bytes]) -> int:
    """Each message in a session of its own; each has one reply, and its end."""
    wire = Wire(port, frames.MANY_SESSIONS)
    wire.send(*frames.pack(enumerate(messages, start=1)))
    batches, status = wire.end()
    assert status == "OK"
    answers: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    for number, message in replies_of(batches):
        if message is None:
            ends[number] += 1
        else:
            assert pb.Reply.FromString(message).WhichOneof("reply")
            assert not ends[number]
            answers[number] += 1
    numbers = range(1, len(messages) + 1)
    assert answers == Counter(numbers)
    assert ends == Counter(numbers)
    return len(messages)


def check_still_well(server: Server, service: Service, *, parked: bool = False) -> None:
    wait_until(lambda: not server.hub.accounts.sessions(), "all sessions have ended")
    # One is the well-behaved client's.
    wait_until(lambda: len(server.hub.relays) <= 1, "all streams have ended")
    assert not server.hub.pids
    if not parked:
        nursery = psutil.Process(server.hub.service.pid)
        wait_until(lambda: not nursery.children(), "processes have ended")
    assert run(service).object_code


def fuzz(server: Server, count: int) -> int:
    """Send messages and bytes; raise what the server does wrong.

    Returns:
        How many messages have been sent.
    """
    sent = 0

    def send(wire: Wire, messages: list[bytes]) -> None:
        nonlocal sent
        sent += len(messages)
        wire.send(*messages)

    @examples(count)
    @given(st.lists(st.one_of(mutated(), st.binary(max_size=60)), max_size=_BATCH))
    def sessions(messages: list[bytes]) -> None:
        nonlocal sent
        sent += check_sessions(server.port, messages)

    @examples(count // 2)
    @given(st.lists(st.one_of(mutated(), st.binary(max_size=60)), max_size=8))
    def one_session(messages: list[bytes]) -> None:
        wire = Wire(server.port, frames.ONE_SESSION)
        send(wire, messages)
        replies, status = wire.end()
        assert status == "OK"
        assert len(replies) <= len(messages)
        for reply in replies:
            assert pb.Reply.FromString(reply).WhichOneof("reply")

    @examples(count // 2)
    @given(st.lists(st.binary(max_size=_BYTES), max_size=4))
    def envelopes(messages: list[bytes]) -> None:
        wire = Wire(server.port, frames.MANY_SESSIONS)
        send(wire, messages)
        _, status = wire.end()
        assert status in ("OK", "INVALID_ARGUMENT")

    @examples(count // 2)
    @given(
        st.lists(
            st.builds(
                relay.Frame,
                session=st.integers(0, 5),
                message=st.one_of(mutated(), st.binary(max_size=60)),
                more=st.booleans(),
                end=st.booleans(),
            ),
            max_size=20,
        )
    )
    def interleaved(some: list[relay.Frame]) -> None:
        nonlocal sent
        sent += len(some)
        wire = Wire(server.port, frames.MANY_SESSIONS)
        wire.send(relay.Frames(frames=some).SerializeToString())
        batches, status = wire.end()
        assert status == "OK"
        list(replies_of(batches))

    for each in (sessions, one_session, envelopes, interleaved):
        each()
    return sent


@pytest.mark.timeout(120)
def test_messages_that_are_none(server: Server, grpc_service: Service) -> None:
    run(grpc_service)  # uploads the program
    fuzz(server, 10)
    check_still_well(server, grpc_service, parked=True)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_100000_messages_that_are_none(server: Server, grpc_service: Service) -> None:
    run(grpc_service)
    sent = 0
    while sent < 100_000:
        # Other messages each time: hypothesis goes by chance.
        sent += fuzz(server, 2000)
    check_still_well(server, grpc_service, parked=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_10_million_bytes_that_are_none(server: Server, grpc_service: Service) -> None:
    run(grpc_service)
    sent = 0
    chunk = 20_000

    rng = random.Random(0)
    while sent < 10_000_000:
        for method in (frames.ONE_SESSION, frames.MANY_SESSIONS):
            wire = Wire(server.port, method)
            wire.send(rng.randbytes(chunk))
            wire.end()
            sent += chunk
    check_still_well(server, grpc_service)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_atheris_thinks_of(tmp_path: Path) -> None:
    fuzzer = [sys.executable, "-m", "support.fuzz_relay"]
    # Found by inputs that reach new lines of the server's.
    done = subprocess.run(
        [*fuzzer, "-runs=10000", "-seed=1", "-max_len=2000", tmp_path],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 10000" in done.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("method", [frames.ONE_SESSION, frames.MANY_SESSIONS])
def test_a_client_that_goes_in_the_middle(
    server: Server, grpc_service: Service, method: str
) -> None:
    run(grpc_service)
    pack_: Callable[[bytes], list[bytes]] = (
        (lambda message: [message])
        if method == frames.ONE_SESSION
        else (lambda message: list(frames.pack([(1, message)])))
    )
    for _ in range(10):
        wire = Wire(server.port, method)
        opening = pb.Request(open=inlining(program_sha256=CALLS.sha256))
        wire.send(*pack_(opening.SerializeToString()))
        next(wire._call)
        wire._call.cancel()
        wire._channel.close()
    check_still_well(server, grpc_service)


@pytest.mark.timeout(60)
def test_a_client_that_sends_and_does_not_read(
    server: Server, grpc_service: Service
) -> None:
    run(grpc_service)
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    held = threading.Event()

    def requests() -> Iterator[bytes]:
        describe = pb.Request(describe=pb.Describe()).SerializeToString()
        for _ in range(20_000):
            yield describe
            if held.is_set():
                return

    call = channel.stream_stream(frames.ONE_SESSION)(requests())
    # Its replies are several hundred megabytes; the server keeps few of them.
    assert run(grpc_service).object_code
    process = psutil.Process()
    assert process.memory_info().rss < 1 << 30
    held.set()
    call.cancel()
    channel.close()
    check_still_well(server, grpc_service)
