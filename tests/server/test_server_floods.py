# SPDX-License-Identifier: Apache-2.0
"""What one client sends or holds back is bounded, and costs the others nothing."""

from __future__ import annotations

import os
import queue
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.samples import (
    CALLS,
    ENDLESS,
    SLOW,
    fails,
    finish,
    inlining,
    pack,
    run,
    wait_until,
)

from mlcompiler_gym.client import Service, frames
from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.server import Config, Limits, Server
from mlcompiler_gym.server.limits import Account, Accounts, Share, Tally
from mlcompiler_gym.server.parking import PARKED, Parking
from mlcompiler_gym.server.process import CHUNK, Process, TooLarge
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import relay_pb2 as relay

pytestmark = pytest.mark.timeout(120)


def request(**fields: Any) -> bytes:
    return pb.Request(**fields).SerializeToString()


def frames_of(*items: tuple[int, bytes], more: bool = False) -> bytes:
    made = [relay.Frame(session=n, message=m, more=more) for n, m in items]
    return relay.Frames(frames=made).SerializeToString()


class Raw:
    """A stream for many sessions, and the bytes on it."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]
        )
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.call: Any = self._channel.stream_stream(frames.MANY_SESSIONS)(
            iter(self._queue.get, None), timeout=60
        )
        self._unpacker = frames.Unpacker(1 << 40)

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self._queue.put(message)

    def replies(self) -> Iterator[tuple[int, pb.Reply | None]]:
        for data in self.call:
            for number, message in self._unpacker.unpack(data):
                yield number, None if message is None else pb.Reply.FromString(message)

    def status(self) -> str:
        """How the stream ends."""
        try:
            list(self.call)
        except grpc.RpcError:
            return f"{self.call.code().name}: {self.call.details()}"
        return "OK"

    def close(self) -> None:
        self._queue.put(None)
        self.call.cancel()
        self._channel.close()


@pytest.fixture
def raw(server: Server) -> Iterator[Raw]:
    with closing(Raw(server.port)) as made:
        yield made


def only_account(server: Server) -> Account:
    [account] = server.hub.accounts._all()
    return account


def nothing_is_left(server: Server) -> None:
    """All that clients had has been given back."""

    def empty() -> bool:
        return all(
            (a.requests.value, a.replies.value, a.sessions.value, a.ending.value)
            == (0, 0, 0, 0)
            for a in server.hub.accounts._all()
        )

    wait_until(empty, "everything is given back")


# -- Frames ------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 20_000])
def test_frames_of_a_message_are_counted_before_they_are_read(size: int) -> None:
    # Bodies full of what frames begin with are no frames.
    body = b"\n" * size
    most = frames_of(*[(n + 1, body) for n in range(frames.MOST)])
    assert len(frames.Unpacker(1 << 40).unpack(most)) == frames.MOST
    with pytest.raises(DecodeError, match="more than 1024 frames"):
        frames.Unpacker(1 << 40).unpack(most + frames_of((1, body)))


def test_what_is_packed_can_be_unpacked() -> None:
    items: list[tuple[int, bytes | None]] = [(n, b"x") for n in range(3000)]
    items += [(n, None) for n in range(3000)]
    unpacker = frames.Unpacker(1 << 20)
    messages = list(frames.pack(items))
    assert [item for m in messages for item in unpacker.unpack(m)] == items
    assert len(messages) == 6


def test_parts_of_any_size_are_put_together_in_order() -> None:
    sizes = [1, 600_000, 1, 2, 1 << 20, 0, 600_000, 3]
    parts = [bytes([65 + n]) * size for n, size in enumerate(sizes)]
    unpacker = frames.Unpacker(1 << 30)
    for part in parts:
        assert unpacker.unpack(frames_of((1, part), more=True)) == []
    assert unpacker.unpack(frames_of((1, b"end"))) == [(1, b"".join(parts) + b"end")]
    assert not unpacker.incomplete


@pytest.mark.parametrize(
    "message", [b"\n\0" * 100_000, b"\n\0" * 2000 + b"\x12", b"\n" * 5000 + b"\xff"]
)
def test_empty_frames_end_the_stream(raw: Raw, message: bytes) -> None:
    raw.send(message)
    assert raw.status().startswith("INVALID_ARGUMENT: these bytes are not Frames")


def test_unfinished_messages_are_bounded_in_number(server: Server, raw: Raw) -> None:
    account_bytes = 64 + 16 << 20
    first = 1
    for _ in range(account_bytes // frames.ENTRY // frames.MOST + 1):
        numbers = range(first, first + frames.MOST)
        raw.send(frames_of(*[(n, b"") for n in numbers], more=True))
        first += frames.MOST
    assert "no room for another unfinished message" in raw.status()
    nothing_is_left(server)


def test_unfinished_messages_are_bounded_in_bytes(server: Server, raw: Raw) -> None:
    piece = bytes(1 << 20)
    # 63 MiB each, which one may have.
    for number in (1, 2):
        for _ in range(63):
            raw.send(frames_of((number, piece), more=True))
    raw.send(frames_of((2, b"")), frames_of((1, request(describe=pb.Describe()))))
    replies = raw.replies()
    number, reply = next(replies)
    assert number == 2
    assert reply is not None
    assert reply.error.code == pb.RESOURCE_EXHAUSTED
    raw.close()
    nothing_is_left(server)


# -- Requests that wait ------------------------------------------------------


@pytest.mark.timeout(60)
@pytest.mark.parametrize("busy", ["opening", "open"])
def test_requests_that_wait_are_bounded_in_number(busy: str) -> None:
    # 16 MiB beside a program: some 16,000 requests.
    server = Server(Config(log_level="error", limits=Limits(upload_bytes=1 << 20)))
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    session = service.open(inlining(), CALLS)
    blocked = service.connect()
    slow = inlining(pipeline=ENDLESS, program_sha256=SLOW.sha256)
    blocked.call(pb.Request(upload=pb.Upload(program=SLOW.bitcode)))
    blocked.send(request(open=slow))
    if busy == "open":
        blocked.receive()
        blocked.send(request(step=pb.Step(actions=pack(*[0] * 8))))
    else:
        # Its own decisions are taken by LLVM: it never gets to one.
        blocked.close()
        blocked = service.connect()
        slow.task = ""
        blocked.send(request(open=slow))
    tiny = request(measure=pb.Measure())
    for _ in range(30_000):
        blocked.send(tiny)
    with fails("RESOURCE_EXHAUSTED", "wait for some of the replies", ended=True):
        blocked.receive()
    assert session.step(pack(0)).decisions == 1
    for each in (session, blocked):
        each.close()
    nothing_is_left(server)
    service.close()
    server.stop(grace=0)


@pytest.mark.parametrize("kind", ["options", "pipeline", "describe"])
def test_options_are_bounded(grpc_service: Service, kind: str) -> None:
    options = [pb.Option(name="actions", value="a\n" * 600_000)]
    with closing(grpc_service.connect()) as stream, fails("RESOURCE_EXHAUSTED"):
        if kind == "describe":
            what = pb.Describe(task="pass_ordering", options=options)
            stream.call(pb.Request(describe=what))
        elif kind == "options":
            stream.call(pb.Request(open=inlining(options=options)))
        else:
            stream.call(pb.Request(open=inlining(pipeline="dce," * 300_000)))


def test_channels_that_ask_for_copies_count(server: Server, raw: Raw) -> None:
    attach = request(attach=pb.Attach(token=b"guess"))
    for first in (1, 1025):
        numbers = range(first, first + frames.MOST)
        raw.send(frames_of(*[(n, attach) for n in numbers]))
    codes = []
    for _, reply in raw.replies():
        if reply is not None:
            codes.append(reply.error.code)
        if len(codes) == 2048:
            break
    assert codes.count(pb.NOT_FOUND) == server.hub.limits.sessions
    assert codes.count(pb.RESOURCE_EXHAUSTED) == 2048 - server.hub.limits.sessions
    raw.close()
    nothing_is_left(server)


# -- Replies that the client does not take -----------------------------------


def test_replies_that_nobody_takes_stop_the_reading(server: Server, raw: Raw) -> None:
    attach = request(attach=pb.Attach(token=b"guess"))
    message = frames_of(*[(1, attach)] * frames.MOST)
    for _ in range(3000):
        raw.send(message)

    def kept() -> int:
        return sum(
            len(session.replies)
            for relay_ in server.hub.relays
            for session in relay_._sessions.values()
        )

    before = -1
    while (now := kept()) != before:  # until it has taken what it takes
        before = now
        time.sleep(0.3)
    assert kept() <= 2 * frames.MOST
    raw.close()
    nothing_is_left(server)


def socket_pair(room: int) -> tuple[socket.socket, Process, Tally]:
    ours, theirs = socket.socketpair()
    tally = Tally(room)
    return theirs, Process(ours, Share(tally)), tally


def receive_all(process: Process, count: int) -> list[bytes]:
    replies: list[bytes] = []
    wait_until(lambda: len(_more(process, replies)) >= count, "replies come")
    return replies


def _more(process: Process, replies: list[bytes]) -> list[bytes]:
    replies += process.receive() or []
    return replies


def send_later(sock: socket.socket, *sizes: int) -> None:
    def send() -> None:
        for size in sizes:
            sock.sendall(size.to_bytes(4, "little") + bytes(size))

    threading.Thread(target=send, daemon=True).start()


def test_a_reply_that_is_too_large_is_dropped_and_the_next_comes() -> None:
    theirs, process, tally = socket_pair(room=300_000)
    send_later(theirs, 10, 300_001, 300_000, 5, 400_000, 7)
    replies = receive_all(process, 6)
    assert [isinstance(reply, TooLarge) for reply in replies] == [
        *(False, True, False, False, True, False)
    ]
    assert [int(replies[1]), int(replies[4])] == [300_001, 400_000]
    assert [len(replies[i]) for i in (0, 2, 3, 5)] == [10, 300_000, 5, 7]
    assert tally.value == 300_000
    process.release().close()
    theirs.close()


@pytest.mark.parametrize("size", [CHUNK - 4, CHUNK - 3, CHUNK, CHUNK + 1, 200_000])
def test_a_large_reply_waits_for_room(size: int) -> None:
    theirs, process, tally = socket_pair(room=250_000)
    assert tally.take(100_000)
    send_later(theirs, size, 3)
    if size == 200_000:
        wait_until(lambda: not process.receive() and process.blocked, "it is blocked")
        assert process.receive() == []
        tally.give(100_000)
    else:
        tally.give(100_000)
    assert [len(reply) for reply in receive_all(process, 2)] == [size, 3]
    assert tally.value == (size if size > CHUNK else 0)
    process.release().close()
    theirs.close()


def test_large_replies_go_back_to_the_account(
    server: Server, grpc_service: Service
) -> None:
    session = grpc_service.open(inlining(), SLOW)
    text = session.observe("ir")
    assert text
    others = [grpc_service.open(inlining(), SLOW) for _ in range(3)]
    for other in others:
        other.send(request(observe=pb.Observe(names=["ir"])))
    for other in others:
        assert len(other.receive().observe.SerializeToString()) > CHUNK
    for other in others:
        # One that is asked for and not waited for.
        other.send(request(observe=pb.Observe(names=["ir"])))
        other.close()
    nothing = only_account(server).replies
    wait_until(lambda: nothing.value == 0, "room is given back")
    session.close()


# -- Places ------------------------------------------------------------------


def test_a_refused_fork_takes_no_place(server: Server, grpc_service: Service) -> None:
    with closing(grpc_service.connect()) as stream:
        stream.call(pb.Request(describe=pb.Describe()))
        for _ in range(3):
            with fails("FAILED_PRECONDITION", "no open session"):
                stream.call(pb.Request(fork=pb.Fork()))
            assert only_account(server).sessions.value == 1
    nothing_is_left(server)


def test_without_descriptors_one_request_is_refused(
    server: Server, grpc_service: Service
) -> None:
    session = grpc_service.open(inlining(), CALLS)
    other = grpc_service.open(inlining(), CALLS)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/self/fd"))
    spare = [os.dup(0) for _ in range(used - len(os.listdir("/proc/self/fd")) + 2)]
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, before[1])
    )
    try:
        for _ in range(2):
            with fails("RESOURCE_EXHAUSTED", "Too many open files", ended=False):
                session.call(pb.Request(fork=pb.Fork()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in spare:
            os.close(descriptor)
    assert only_account(server).sessions.value == 2
    for each in (session, other):
        assert finish(each, each.opened.state, lambda _: 0).object_code
        each.close()
    nothing_is_left(server)
    assert run(grpc_service).object_code


def test_a_client_at_its_limit_may_end_and_begin_but_not_without_bound() -> None:
    account = Account("x", "x", Limits(sessions=20))
    for _ in range(20):
        assert account.enter()
    assert not account.enter()
    for ended in range(20):
        account.leave()
        assert account.ending.take()
        assert account.enter() == (ended < 19)
    account.ending.give()
    assert account.enter()


def test_accounts_of_clients_that_have_gone_are_forgotten() -> None:
    accounts = Accounts(Limits())
    for number in range(100):
        account = accounts.open_stream(str(number), "")
        assert account is not None
        account.streams.give()
    assert len(accounts._all()) == 1


def test_parked_processes_are_shared_out() -> None:
    parking = Parking()

    def park(client: str, numbers: range, most: int = 1000, clients: int = 1) -> int:
        keys = [f"{client}{number}".encode() for number in numbers]
        return sum(parking.park(key, client, most, clients) for key in keys)

    assert park("a", range(5), most=3) == 3
    assert park("a", range(10), most=3) == 3, "what is there is used"
    assert park("b", range(100), clients=2) == PARKED // 2
    assert park("a", range(100), clients=2) == PARKED // 2
    # What another has parked is used, and remains the other's.
    assert parking.park(b"b0", "c", 0, 2)
    assert not parking.park(b"c0", "c", 0, 2)


# -- Processes that are stuck ------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    monkeypatch.setattr("mlcompiler_gym.server.relayed_session.LATE", 0.2)
    monkeypatch.setattr("mlcompiler_gym.server.nursery._BETWEEN", 0.1)
    monkeypatch.setattr("mlcompiler_gym.server.nursery._PATIENCE", 0.3)
    monkeypatch.setattr("mlcompiler_gym.server.endings.PATIENCE", 0.2)
    made: list[Server] = []

    def make(**limits: Any) -> Server:
        made.append(Server(Config(log_level="critical", limits=Limits(**limits))))
        return made[-1]

    yield make
    for server in made:
        server.stop(grace=0)


def test_a_session_that_is_stopped_is_ended(impatient: Callable[..., Server]) -> None:
    server = impatient(seconds=1.0)
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    session, other = (service.open(inlining(park=True), CALLS) for _ in range(2))
    process = psutil.Process(session.opened.pid)
    process.suspend()
    with fails("DEADLINE_EXCEEDED", "1000 ms", "stopped from outside", ended=True):
        session.step(pack(0))
    wait_until(lambda: not process.is_running(), "the process is gone")
    assert other.step(pack(0)).decisions == 1
    metric = server.hub.metrics.registry.get_sample_value
    stuck = metric("mlcompiler_gym_session_crashes_total", {"cause": "STUCK"})
    assert stuck == 1
    other.close()
    nothing_is_left(server)
    service.close()


@pytest.mark.parametrize("copied", [False, True])
def test_a_stopped_process_counts_until_it_is_gone(
    impatient: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    copied: bool,
) -> None:
    server = impatient()
    # Longer than this test takes to look.
    monkeypatch.setattr("mlcompiler_gym.server.endings.PATIENCE", 1.5)
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    session = service.open(inlining(), CALLS)
    pid = session.opened.pid
    if copied:
        pid = session.call(pb.Request(fork=pb.Fork())).fork.pid
    process = psutil.Process(pid)
    process.suspend()
    session.close()
    if copied:
        server.hub.copies.expire(now=float("inf"))
    account = only_account(server)
    wait_until(lambda: account.sessions.value == 0, "nobody has it")
    wait_until(lambda: account.ending.value == 1, "one that is stopped is left")
    assert process.is_running()
    wait_until(lambda: not process.is_running(), "it is killed")
    nothing_is_left(server)
    service.close()


def test_a_client_that_takes_no_replies_is_not_taken_for_a_process_that_is_stuck(
    impatient: Callable[..., Server],
) -> None:
    server = impatient(seconds=0.5)
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    service.open(inlining(), CALLS).close()
    with closing(Raw(server.port)) as raw:
        open_ = request(open=inlining(program_sha256=CALLS.sha256))
        observe = request(observe=pb.Observe(names=["ir"]))
        raw.send(frames_of((1, open_), *[(1, observe)] * 1000))
        time.sleep(2)
        kinds = [
            reply.WhichOneof("reply")
            for _, reply in (next(replies) for replies in [raw.replies()] * 1001)
            if reply is not None
        ]
    assert kinds == ["open", *["observe"] * 1000]
    service.close()


def test_a_nursery_that_is_stopped_is_noticed(impatient: Callable[..., Server]) -> None:
    server = impatient(seconds=1.0)
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    session = service.open(inlining(), CALLS)

    def health() -> int:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status)

    assert health() == health_pb2.HealthCheckResponse.SERVING
    pid = server.hub.service.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with (
            closing(service.connect()) as stream,
            fails("DEADLINE_EXCEEDED", "stopped from outside"),
        ):
            stream.call(pb.Request(describe=pb.Describe()))
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        wait_until(lambda: health() == not_serving, "health says so")
        # Sessions are processes of their own.
        assert session.step(pack(0)).decisions == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    serving = health_pb2.HealthCheckResponse.SERVING
    wait_until(lambda: health() == serving, "health says so again")
    assert run(service).object_code
    session.close()
    service.close()
