# SPDX-License-Identifier: Apache-2.0
"""Code of a module that code generation does not survive.

In the middle of a pipeline there are coroutines that no pass has lowered yet. To
ask for their code is an error of that request, with what happened; the session goes
on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import psutil
import pytest
from support.processes import wait_until
from support.samples import alternate, calls_ir, finish, inlining, ir_program

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Session
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

#: Calls to decide about, and a coroutine.
COROUTINE = (
    calls_ir()
    + """
declare token @llvm.coro.id(i32, ptr, ptr, ptr)
declare i1 @llvm.coro.alloc(token)
declare i64 @llvm.coro.size.i64()
declare ptr @llvm.coro.begin(token, ptr)
declare i8 @llvm.coro.suspend(token, i1)
declare ptr @llvm.coro.free(token, ptr)
declare void @llvm.coro.end(ptr, i1, token)
declare ptr @malloc(i64)
declare void @free(ptr)
define ptr @coroutine(i32 %n) presplitcoroutine {
entry:
  %id = call token @llvm.coro.id(i32 0, ptr null, ptr null, ptr null)
  %size = call i64 @llvm.coro.size.i64()
  %memory = call ptr @malloc(i64 %size)
  %handle = call ptr @llvm.coro.begin(token %id, ptr %memory)
  %sum = call i32 @top(i32 %n)
  %next = call i8 @llvm.coro.suspend(token none, i1 false)
  switch i8 %next, label %suspend [i8 0, label %resume
                                   i8 1, label %cleanup]
resume:
  %more = call i32 @top(i32 %sum)
  br label %cleanup
cleanup:
  %frame = call ptr @llvm.coro.free(token %id, ptr %handle)
  call void @free(ptr %frame)
  br label %suspend
suspend:
  call void @llvm.coro.end(ptr %handle, i1 false, token none)
  ret ptr %handle
}
"""
)
PROGRAM = ir_program(COROUTINE, "coroutine")


def measure(*objectives: str) -> Callable[[Session], object]:
    return lambda session: session.call(
        pb.Request(measure=pb.Measure(objectives=objectives))
    )


ASKING: dict[str, Callable[[Session], object]] = {
    "text_size": measure("text_size"),
    "mca_cycles": measure("mca_cycles"),
    "regalloc_score": measure("ir_instructions", "regalloc_score"),
    "mir2vec": lambda session: session.observe("mir2vec"),
    "mir2vec@function": lambda session: session.observe("mir2vec@function"),
    "object": lambda session: session.emit("object"),
    "assembly": lambda session: session.emit("assembly"),
}


@pytest.fixture
def stopped(service: LocalService) -> Iterator[Session]:
    """A session at the first decision, before coroutines are lowered."""
    with closing(service.open(inlining(), PROGRAM)) as session:
        yield session


@pytest.mark.parametrize("what", ASKING)
def test_a_request_that_code_generation_does_not_survive(
    service: LocalService, stopped: Session, what: str
) -> None:
    for _ in range(2):
        with pytest.raises(ServiceError) as caught:
            ASKING[what](stopped)
        assert caught.value.code == "CRASHED"
        assert not caught.value.session_ended
        assert caught.value.pass_name == "code generation"
        assert "code generation" in caught.value.message
        assert "only this session is lost" not in caught.value.message
    # What needs no code is there, and the compile is what it would have been.
    assert stopped.observe("ir2vec")
    done = finish(stopped, stopped.step(b""), alternate)
    with closing(service.open(inlining(), PROGRAM)) as other:
        assert finish(other, other.opened.state, alternate) == done
    process = psutil.Process(stopped.opened.pid)
    assert wait_until(lambda: not process.children())


def test_an_observation_with_each_state(service: LocalService) -> None:
    with pytest.raises(ServiceError) as caught:
        service.open(inlining(observations=["mir2vec"]), PROGRAM)
    assert caught.value.code == "CRASHED"


def test_every_request_has_a_reply_behind_a_state_that_cannot_be_measured(
    service: LocalService,
) -> None:
    opening = pb.Open(task="pass_ordering", objectives=["text_size"])
    # No code can be generated for the intrinsics that pgo-instr-gen inserts to count.
    opening.options.add(name="actions", value="pgo-instr-gen\ninstcombine")
    with closing(service.open(opening, ir_program(calls_ir()))) as session:
        for actions in (bytes(8), b"", (1).to_bytes(8, "little"), b""):
            with pytest.raises(ServiceError) as caught:
                session.step(actions)
            assert caught.value.code == "CRASHED"
            assert not caught.value.session_ended
        assert session.observe("decisions")
