# SPDX-License-Identifier: Apache-2.0
"""What one client may send too much of, and what that costs the server and another.

Each kind of flood gets a real ``mlcompiler-gym serve`` on loopback. The first figure is
the most resident memory of the server, less what it has when idle (goal: at most 300
MiB). The second is how long a step without compile work takes another client during
the flood, over what it takes alone (goal: a median of at most 20 times). The flooding
client is a process of its own. It sends as much as the server takes, and reads no
replies. It begins again each stream that the server ends.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from itertools import count, repeat
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import grpc

from benchmarks.load import Server, environment_of
from mlcompiler_gym.client import frames
from mlcompiler_gym.client.frames import MOST
from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import relay_pb2 as relay

SECONDS = 4.0


def _frames(*messages: tuple[int, bytes], more: bool = False) -> bytes:
    made = [relay.Frame(session=n, message=m, more=more) for n, m in messages]
    return relay.Frames(frames=made).SerializeToString()


def _floods() -> dict[str, tuple[int, Callable[[int], Iterator[bytes]]]]:
    """By name: streams at once, and what is sent on each."""
    program = load_programs("kernels/regex").named("kernels/regex")
    attach = _request(attach=pb.Attach(token=b"guess"))
    describe = _request(describe=pb.Describe())
    upload = _request(upload=pb.Upload(program=program.bitcode))
    long = ",".join(["default<O3>"] * 20_000)
    opening = pb.Open(pipeline=long, program_sha256=program.sha256)
    options = [pb.Option(name="actions", value="a\n" * (30 << 20))]
    poison = _request(describe=pb.Describe(task="pass_ordering", options=options))
    tiny = _frames(*[(1, _request(measure=pb.Measure()))] * MOST)

    def each(what: bytes) -> Callable[[int], Iterator[bytes]]:
        return lambda _: repeat(what)

    def sessions(_: int) -> Iterator[bytes]:
        for first in count(1, MOST):
            yield _frames(*[(first + n, attach) for n in range(MOST)])

    def parts(_: int) -> Iterator[bytes]:
        for first in count(1, MOST):
            yield _frames(*[(first + n, b"") for n in range(MOST)], more=True)

    def backlog(_: int) -> Iterator[bytes]:
        yield _frames((1, upload), (1, _request(open=opening)))
        yield from repeat(tiny)

    def pieces(_: int) -> Iterator[bytes]:
        for session in count(1):
            yield from repeat(_frames((session, bytes(1 << 20)), more=True), 60)

    def uploads(stream: int) -> Iterator[bytes]:
        for number in count():
            salt = f"{stream} {number}".encode()
            large = _request(upload=pb.Upload(program=salt + bytes(20 << 20)))
            yield from frames.pack([(1, large)])

    def small_uploads(stream: int) -> Iterator[bytes]:
        for first in count(0, MOST):
            salts = (f"{stream} {first + n}".encode() for n in range(MOST))
            yield _frames(
                *((1, _request(upload=pb.Upload(program=salt))) for salt in salts)
            )

    return {
        "requests for copies that there are not": (1, sessions),
        "unfinished messages": (1, parts),
        "replies that are not taken": (1, each(_frames(*[(1, attach)] * MOST))),
        "descriptions that are not taken": (1, each(_frames(*[(1, describe)] * 100))),
        "63 MiB of empty frames": (1, each(b"\n\0" * (63 << 19))),
        "requests behind a long compile": (1, backlog),
        "parts of large messages": (8, pieces),
        "large uploads": (4, uploads),
        "small uploads": (1, small_uploads),
        "an option of 60 MiB": (1, lambda _: frames.pack([(1, poison)])),
        "all of these but the large ones on 64 streams": (
            64,
            lambda n: (sessions, parts, small_uploads, backlog)[n % 4](n),
        ),
    }


def _request(**fields: Any) -> bytes:
    return pb.Request(**fields).SerializeToString()


def _flood(port: int, kind: str, end: Any) -> None:
    """One client, which sends as much as is taken and takes no reply."""
    streams, messages = _floods()[kind]
    while monotonic() < end.value:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        calls = [
            channel.stream_stream(frames.MANY_SESSIONS)(messages(number))
            for number in range(streams)
        ]
        # One that the server has ended is begun again.
        while monotonic() < end.value and any(call.is_active() for call in calls):
            sleep(0.1)
        for call in calls:
            call.cancel()
        channel.close()


def _measure(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    empty = _request(step=pb.Step())
    for kind in _floods():
        server = Server(folder)
        service = GrpcService(server.url)
        env = environment_of(service)
        env.reset(seed=0)
        env.setup.actions.request = lambda action: empty

        def steps(seconds: float, env: Any = env) -> list[float]:
            times = []
            until = monotonic() + seconds
            while monotonic() < until:
                began = perf_counter()
                env.step(0)
                times.append((perf_counter() - began) * 1e3)
            return sorted(times)

        steps(0.5)
        idle = server.process.memory_info().rss
        alone = steps(SECONDS / 2)
        end = context.Value("d", monotonic() + 60)
        client = context.Process(target=_flood, args=(server.port, kind, end))
        client.start()
        sleep(1.5)
        most = 0
        times: list[float] = []
        for _ in range(2 * int(SECONDS)):
            times += steps(0.5)
            most = max(most, server.process.memory_info().rss)
        end.value = 0
        client.join()
        times.sort()
        late = times[len(times) * 99 // 100]
        print(
            f"{kind}: {(most - idle) / 2**20:.0f} MiB above idle; another client's "
            f"step {alone[len(alone) // 2]:.2f} ms alone, then median "
            f"{times[len(times) // 2]:.2f} ms, 99% {late:.1f}, "
            f"at most {times[-1]:.1f} ({len(times)} steps)",
            flush=True,
        )
        env.close()
        service.close()
        server.stop()
        server.port = 0


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder))
