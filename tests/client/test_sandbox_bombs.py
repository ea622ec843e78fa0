# SPDX-License-Identifier: Apache-2.0
"""Small programs that ask for more memory, time or stack than there is.

Each ends in a typed error or does nothing; other sessions go on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.samples import (
    CALLS,
    TRIPLE,
    Sibling,
    error_of,
    fails,
    ir_program,
)

from mlcompiler_gym.client import Service
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(180)

#: Enough for the compiler, and little enough for a test.
MEMORY = 512 << 20
LIMITS = pb.Limits(memory_bytes=MEMORY, deadline_ms=4_000)


@pytest.fixture(autouse=True)
def bystander(grpc_service: Service) -> Iterator[Sibling]:
    sibling = Sibling(grpc_service)
    yield sibling
    sibling.check()


def attempt(
    service: Service, program: Program, pipeline: str, expected: str | None
) -> None:
    """Compile it to its end, or to the error that is expected.

    What runs out of time is given little, and everything else more than it takes
    on a busy machine, so that chance has no part in which it is.
    """
    seconds = 1 if expected == "DEADLINE_EXCEEDED" else 100
    limits = pb.Limits(memory_bytes=MEMORY, deadline_ms=1000 * seconds)

    def compile_it() -> None:
        session = service.open(pb.Open(pipeline=pipeline, limits=limits), program)
        session.emit("object")
        session.close()

    error = error_of(compile_it)
    assert (error.code if error else None) == expected
    if error is not None:
        assert error.message
        assert error.signal == ("SIGSEGV" if expected == "CRASHED" else "")


HUGE = {
    "array by value": "define [1000000000 x i64] @f([1000000000 x i64] %x) {\n"
    "  ret [1000000000 x i64] %x\n}\n",
    "vector": "define void @f(ptr %p) {\n"
    "  %v = load <100000000 x i8>, ptr %p\n"
    "  %w = add <100000000 x i8> %v, %v\n"
    "  store <100000000 x i8> %w, ptr %p\n  ret void\n}\n",
    "integer": "define void @f(ptr %p) {\n  %v = load i8388608, ptr %p\n"
    "  %w = mul i8388608 %v, %v\n  store i8388608 %w, ptr %p\n  ret void\n}\n",
    "on the stack": "define void @f() {\n"
    "  %p = alloca [4611686018427387904 x i64]\n  call void @g(ptr %p)\n"
    "  ret void\n}\ndeclare void @g(ptr)\n",
    "splat": "define <16777216 x i64> @f() {\n"
    "  ret <16777216 x i64> splat (i64 7)\n}\n",
    "data": '@a = global [68719476736 x i8] zeroinitializer, section ".data.a"\n',
    "no data": "@a = global [68719476736 x i8] zeroinitializer\n",
    "alignment": '@a = global i8 1, align 4294967296, section ".data.a"\n'
    '@b = global i8 1, align 4294967296, section ".data.a"\n',
    "padding": 'module asm ".data"\nmodule asm ".zero 68719476736"\n',
    "repetition": 'module asm ".rept 1000000000"\nmodule asm ".long 1"\n'
    'module asm ".endr"\n',
    "recursive macro": 'module asm ".macro m"\nmodule asm "m"\nmodule asm "m"\n'
    'module asm ".endm"\nmodule asm "m"\n',
    "switch": "define void @f(i64 %x) {\n  switch i64 %x, label %d [\n"
    + "".join(f"    i64 {i * 977}, label %d\n" for i in range(20_000))
    + "  ]\nd:\n  ret void\n}\n",
}


TIME, SPACE = "DEADLINE_EXCEEDED", "OUT_OF_MEMORY"

#: How each ends when it is only verified and when it is optimised. None: it takes
#: no more than other programs do.
HUGE_ENDS = {
    "array by value": (SPACE, SPACE),
    "vector": (TIME, TIME),
    "integer": (TIME, TIME),
    "on the stack": (None, None),
    "splat": (SPACE, TIME),
    "data": (SPACE, SPACE),
    "no data": (None, None),
    "alignment": (SPACE, SPACE),
    "padding": (SPACE, SPACE),
    "repetition": (TIME, TIME),
    "recursive macro": (TIME, TIME),
    "switch": (None, None),
}


@pytest.mark.slow
@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("what", HUGE)
def test_huge(grpc_service: Service, what: str, optimised: bool) -> None:
    pipeline = "default<O2>" if optimised else "verify"
    program = ir_program(TRIPLE + HUGE[what])
    attempt(grpc_service, program, pipeline, HUGE_ENDS[what][optimised])


def nested_type(depth: int) -> str:
    return f"@a = global {'{' * depth} i8 {'}' * depth} zeroinitializer\n"


def nested_expression(depth: int) -> str:
    text = "ptrtoint (ptr @a to i64)"
    for i in range(depth):
        text = f"xor (i64 {text}, i64 {i})"
    return f"@a = global i64 0\n@b = global i64 {text}\n"


def nested_metadata(depth: int) -> str:
    nodes = "".join(f"!{i} = !{{!{i + 1}}}\n" for i in range(depth))
    return f"!llvm.ident = !{{!0}}\n{nodes}!{depth} = !{{}}\n"


def nested_inline_metadata(depth: int) -> str:
    return f"!llvm.ident = !{{!0}}\n!0 = {'!{' * depth}{'}' * depth}\n"


def nested_loops(depth: int) -> str:
    text = "define void @f(i1 %c) {\n  br label %h0\n"
    for i in range(depth):
        text += f"h{i}:\n  br label %{f'h{i + 1}' if i + 1 < depth else f'l{i}'}\n"
    for i in reversed(range(depth)):
        after = f"l{i - 1}" if i else "end"
        text += f"l{i}:\n  br i1 %c, label %h{i}, label %{after}\n"
    return text + "end:\n  ret void\n}\n"


def chain(length: int) -> str:
    body = "".join(
        f"  %x{i + 1} = xor i64 %x{i}, {i * 2654435761 % 4093}\n  "
        f"%y{i} = mul i64 %x{i + 1}, %x{i}\n  store volatile i64 %y{i}, ptr %p\n"
        for i in range(length)
    )
    return f"define void @f(i64 %x0, ptr %p) {{\n{body}  ret void\n}}\n"


def calls_of_calls(depth: int) -> str:
    """Inlined, twice as large with each level."""
    text = "declare void @g()\ndefine internal void @f0() {\n"
    text += "  call void @g()\n  ret void\n}\n"
    for i in range(1, depth):
        call = f"  call void @f{i - 1}() alwaysinline\n"
        text += f"define void @f{i}() alwaysinline {{\n{call}{call}  ret void\n}}\n"
    return text


DEEP = {
    "type": nested_type(100_000),
    "expression": nested_expression(20_000),
    "metadata": nested_metadata(200_000),
    "inline metadata": nested_inline_metadata(100_000),
    "loops": nested_loops(3_000),
    "chain": chain(30_000),
    "inlining": calls_of_calls(40),
}


#: Recursion ends at the limit of the stack.
DEEP_ENDS = {
    "type": "CRASHED",
    "expression": "CRASHED",
    "metadata": "CRASHED",
    "inline metadata": "CRASHED",
    "loops": None,
    "chain": TIME,
    "inlining": TIME,
}


@pytest.mark.slow
@pytest.mark.parametrize("what", DEEP)
def test_deeply_nested(grpc_service: Service, what: str) -> None:
    program = ir_program(TRIPLE + DEEP[what])
    attempt(grpc_service, program, "default<O2>", DEEP_ENDS[what])


def test_a_pipeline_too_deep_to_parse(grpc_service: Service) -> None:
    # As much as a server takes.
    pipeline = "function(" * 26_000 + "sroa" + ")" * 26_000
    with fails("CRASHED", "SIGSEGV", ended=True):
        grpc_service.open(pb.Open(pipeline=pipeline), CALLS)
    # Describing a task parses no pipeline, or all sessions would crash with it. It may
    # have 256 KiB there.
    pipeline = "function(" * 26_000 + "sroa" + ")" * 26_000
    assert 250_000 < len(pipeline) < 1 << 18
    option = pb.Option(name="actions", value=pipeline)
    request = pb.Describe(task="pass_ordering", options=[option])
    with closing(grpc_service.connect()) as stream:
        reply = stream.call(pb.Request(describe=request))
    assert reply.describe.tasks[0].action.meanings == [pipeline]


def bomb_ir(depth: int) -> str:
    """A value of ``2**depth`` elements, which folds to a constant of that size."""
    kind, last = "i8", "1"
    body = ""
    for i in range(depth):
        outer = f"[2 x {kind}]"
        body += f"  %a{i} = insertvalue {outer} poison, {kind} {last}, 0\n"
        body += f"  %b{i} = insertvalue {outer} %a{i}, {kind} {last}, 1\n"
        last, kind = f"%b{i}", outer
    body += f"  store {kind} {last}, ptr %p\n  ret void\n"
    return f"{TRIPLE}define void @f(ptr %p) {{\n{body}}}\n"


def test_a_bomb_of_text(grpc_service: Service) -> None:
    session = grpc_service.open(
        pb.Open(pipeline="function(instsimplify)", limits=LIMITS),
        ir_program(bomb_ir(40)),
    )
    with fails("DEADLINE_EXCEEDED", "writing bitcode", ended=True):
        session.emit("bitcode")


@pytest.mark.parametrize(
    ("pipeline", "expected"), [("verify", "CRASHED"), ("default<O2>", TIME)]
)
def test_a_bomb_of_bitcode(grpc_service: Service, pipeline: str, expected: str) -> None:
    command = ["opt-22", "-passes=instsimplify", "-o", "-"]
    text = bomb_ir(22)  # with more, LLVM does not write it to an end either
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, check=True, timeout=60
    )
    assert len(done.stdout) < 10_000
    attempt(grpc_service, Program("bomb", done.stdout), pipeline, expected)


def limit_of(pid: int) -> list[str]:
    """Soft and hard limit of private memory, which the process cannot raise."""
    with open(f"/proc/{pid}/limits") as file:
        (line,) = (each for each in file if each.startswith("Max data size"))
    return line.split()[3:5]


def test_memory_stays_within_its_limit(grpc_service: Service) -> None:
    limits = pb.Limits(memory_bytes=64 << 20, deadline_ms=60_000)
    session = grpc_service.open(
        pb.Open(pipeline="verify", limits=limits), ir_program(TRIPLE + HUGE["data"])
    )
    most = limit_of(session.opened.pid)
    with fails("OUT_OF_MEMORY", "memory limit", ended=True):
        session.emit("object")
    assert most == [str(limits.memory_bytes)] * 2


@pytest.mark.slow
def test_a_reply_has_a_limit_as_a_request_has(grpc_service: Service) -> None:
    size = 300 << 20
    text = f'@a = global [{size} x i8] zeroinitializer, section ".data.a"\n'
    session = grpc_service.open(pb.Open(pipeline="verify"), ir_program(TRIPLE + text))
    with fails("RESOURCE_EXHAUSTED", "reply", str(256 << 20), ended=False):
        session.emit("object")
    # It goes on.
    assert "@a" in session.observe("ir")["ir"]
    session.close()
