# SPDX-License-Identifier: Apache-2.0
"""Small programs with known properties, and calls that the suite makes."""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from mlcompiler_gym.client import Service, Session
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

TRIPLE = 'target triple = "x86_64-pc-linux-gnu"\n'

#: Runs the inliner and then, on SLOW, minutes of one pass after another: the
#: place for whatever is to happen in the middle of a pass.
ENDLESS = f"inliner-wrapper,function({','.join(['slsr'] * 1500)})"

#: The name that a report gives the pass of ENDLESS.
ENDLESS_PASS = "StraightLineStrengthReducePass"

#: Raises no decision.
NO_CALLS = TRIPLE + "define i32 @only(i32 %x) {\n  ret i32 %x\n}\n"


def calls_ir(leaves: int = 4, salt: int = 0) -> str:
    """One exported function that calls each of some internal ones twice."""
    text = TRIPLE
    body = ""
    total = "%x"
    for i in range(leaves):
        text += f"define internal i32 @leaf{i}(i32 %a, i32 %b) {{\n"
        last = "%a"
        for k in range(4 + 3 * i):
            op = ("mul", "xor", "add", "sub")[k % 4]
            text += f"  %v{k} = {op} i32 {last}, {'%b' if k % 3 else k + 7 + salt}\n"
            last = f"%v{k}"
        text += f"  ret i32 {last}\n}}\n"
        for k in range(2):
            body += f"  %c{i}.{k} = call i32 @leaf{i}(i32 {total}, i32 {k + 3})\n"
            total = f"%c{i}.{k}"
    return text + f"define i32 @top(i32 %x) {{\n{body}  ret i32 {total}\n}}\n"


def ir_program(text: str, name: str = "sample") -> Program:
    """A program of textual IR."""
    return Program(name, text.encode())


#: Eight decisions; its object differs with them.
CALLS = ir_program(calls_ir(), "calls")


def slow_ir(length: int = 4000) -> str:
    """CALLS, and beside it a long function that passes find nothing to do in."""
    text = calls_ir() + "define void @slow(ptr %p, i32 %x) {\n"
    for i in range(length):
        text += f"  %l{i} = load volatile i32, ptr %p\n"
        text += f"  %m{i} = mul i32 %l{i}, %x\n"
        text += f"  store volatile i32 %m{i}, ptr %p\n"
    return text + "  ret void\n}\n"


#: Eight decisions too. With ENDLESS it never reaches its end.
SLOW = ir_program(slow_ir(), "slow")


def pressure(name: str, values: int, linkage: str = "", after: str = "") -> str:
    """A function that holds so many values at once, loaded and stored in turn.

    Args:
        name: Name of the function; it takes a pointer.
        values: More than there are registers make evictions.
        linkage: For example ``"internal "``.
        after: Instructions before the return.
    """
    body = "".join(f"  %v{i} = load volatile i32, ptr %p\n" for i in range(values))
    body += "".join(
        f"  %w{i} = mul i32 %v{i}, %v{(i * 7 + 3) % values}\n"
        f"  store volatile i32 %w{i}, ptr %p\n"
        for i in reversed(range(values))
    )
    return f"define {linkage}void @{name}(ptr %p) {{\n{body}{after}  ret void\n}}\n"


def inlining(**fields: object) -> pb.Open:
    """An ``Open`` of the inlining task that measures ``text_size``."""
    request = pb.Open(task="inlining", objectives=["text_size"])
    request.MergeFrom(pb.Open(**fields))  # type: ignore[arg-type]
    return request


def pack(*actions: int) -> bytes:
    """Actions of a task whose actions are integers."""
    return struct.pack(f"<{len(actions)}q", *actions)


@dataclass(frozen=True)
class Run:
    """A compile from one end to the other."""

    features: tuple[bytes, ...]
    actions: tuple[int, ...]
    object_code: bytes


def finish(session: Session, state: pb.State, policy: Callable[[int], int]) -> Run:
    """Answer every decision from ``state`` on with ``policy(index)``."""
    features = []
    actions = []
    while state.HasField("features"):
        features.append(state.features)
        actions.append(policy(state.decisions))
        state = session.step(pack(actions[-1]))
    assert state.HasField("outcome")
    return Run(tuple(features), tuple(actions), session.emit("object"))


def alternate(index: int) -> int:
    """A policy that answers 0 and 1 in turn."""
    return index % 2


def run(
    service: Service,
    program: Program = CALLS,
    policy: Callable[[int], int] = alternate,
    **fields: object,
) -> Run:
    """A whole compile in a session of its own."""
    session = service.open(inlining(**fields), program)
    try:
        return finish(session, session.opened.state, policy)
    finally:
        session.close()


@contextmanager
def fails(
    code: str, *words: str, ended: bool | None = None
) -> Iterator[list[ServiceError]]:
    """Expect a ServiceError with this code and these words in its message."""
    caught: list[ServiceError] = []
    with pytest.raises(ServiceError) as info:
        yield caught
    caught.append(info.value)
    assert info.value.code == code, info.value
    for word in words:
        assert word in info.value.message
    if ended is not None:
        assert info.value.session_ended is ended


def assert_over(session: Session) -> None:
    """The stream has ended: whatever is asked for, there is no answer."""
    with fails("SESSION_LOST", ended=True):
        session.call(pb.Request(describe=pb.Describe()))


def upload(session: Session, program: Program) -> bytes:
    """Upload a program; its hash as the service says."""
    request = pb.Request(upload=pb.Upload(program=program.bitcode))
    return session.call(request).upload.sha256


def receive_within(session: Session, seconds: float) -> pb.Reply:
    """The next reply, or a failure where ``receive`` would wait for ever."""
    ready, _, _ = select.select([session.fileno()], [], [], seconds)
    assert ready, f"no reply within {seconds} s"
    return session.receive()


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = 10.0
) -> None:
    """Poll, since nothing announces the end of another process."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.01)
