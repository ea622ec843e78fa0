# SPDX-License-Identifier: Apache-2.0
"""Small programs with known properties, and calls that many tests make."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
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


#: Real programs: Debian's packages libstb-dev and nlohmann-json3-dev.
REAL = {
    "stb_truetype.c": """
#define STB_TRUETYPE_IMPLEMENTATION
#include <stb/stb_truetype.h>
""",
    "stb_image.c": """
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
""",
    "json.cpp": """
#include <nlohmann/json.hpp>
int main(int argc, char **argv) {
  auto value = nlohmann::json::parse(argc > 1 ? argv[1] : "[1]");
  value.push_back(argc);
  return static_cast<int>(value.dump().size());
}
""",
}


def inlining(**fields: object) -> pb.Open:
    """An ``Open`` of the inlining task that measures ``text_size``."""
    request = pb.Open(task="inlining", objectives=["text_size"])
    request.MergeFrom(pb.Open(**fields))  # type: ignore[arg-type]
    return request


def pack(*actions: int) -> bytes:
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


def compile_whole(service: Service, program: Program, **fields: object) -> None:
    """A compile that takes whatever decisions it is asked for."""
    session = service.open(inlining(**fields), program)
    try:
        if session.opened.state.HasField("features"):
            session.step(pack(*[0] * 1000))
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


def error_of(action: Callable[[], object]) -> ServiceError | None:
    """The error that it ends in, if it does."""
    try:
        action()
    except ServiceError as error:
        return error
    return None


def assert_over(session: Session) -> None:
    """The stream has ended: whatever is asked for, there is no answer."""
    with fails("SESSION_LOST", ended=True):
        session.call(pb.Request(describe=pb.Describe()))


def upload(session: Session, program: Program) -> bytes:
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


def idle_descriptors(pid: int) -> int:
    """How many descriptors a process has open once it has caught up."""
    process = psutil.Process(pid)
    counts: list[int] = []
    while len(counts) < 5 or len(set(counts[-5:])) > 1:
        counts.append(process.num_fds())
        time.sleep(0.02)
    return counts[-1]


def run_script(
    folder: Path, text: str, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a Python script that may import what the tests do."""
    path = folder / "script.py"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=50,
        # A process group of its own, for signals as a terminal sends them.
        start_new_session=True,
        check=False,
    )


class Sibling:
    """A session that stands in the middle of a compile while others fail."""

    def __init__(self, service: Service, policy: Sequence[int] = (1, 0, 0)) -> None:
        self._policy = policy
        self._expected = run(service, policy=self._choose)
        self.session = service.open(inlining(), CALLS)
        self._state = self.session.step(pack(self._choose(0), self._choose(1)))

    def _choose(self, index: int) -> int:
        return self._policy[index % len(self._policy)]

    def check(self) -> None:
        """Finish it; it must not have noticed anything."""
        rest = finish(self.session, self._state, self._choose)
        self.session.close()
        assert rest.object_code == self._expected.object_code
        assert rest.features == self._expected.features[2:]
