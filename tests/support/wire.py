# SPDX-License-Identifier: Apache-2.0
"""A stream of the server's without a client of ours on it."""

from __future__ import annotations

import queue
from typing import Any

import grpc

from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from support.samples import CALLS, inlining, pack

#: A request of each kind.
VALID = [
    request.SerializeToString()
    for request in (
        pb.Request(describe=pb.Describe()),
        pb.Request(upload=pb.Upload(program=CALLS.bitcode[:200])),
        pb.Request(open=inlining(program_sha256=CALLS.sha256, park=True)),
        pb.Request(step=pb.Step(actions=pack(0)), deadline_ms=1000),
        pb.Request(fork=pb.Fork()),
        pb.Request(observe=pb.Observe(names=["ir"])),
        pb.Request(measure=pb.Measure(objectives=["text_size"])),
        pb.Request(emit=pb.Emit(format=pb.Emit.OBJECT)),
        pb.Request(close=pb.Close()),
        pb.Request(attach=pb.Attach(token=b"?" * 32)),
    )
]


class Wire:
    """A stream of the server's, and the bytes on it."""

    def __init__(self, port: int, method: str) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._call: Any = self._channel.stream_stream(method)(
            iter(self._queue.get, None), timeout=60
        )

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self._queue.put(message)

    def end(self) -> tuple[list[bytes], str]:
        """Half-close; what comes, and the status."""
        self._queue.put(None)
        replies = []
        try:
            replies += self._call
            status = "OK"
        except grpc.RpcError:
            status = self._call.code().name
        self._channel.close()
        return replies, status
