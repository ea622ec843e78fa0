# SPDX-License-Identifier: Apache-2.0
"""Small programs that ask for more memory, time or stack than there is.

Each ends in a typed error or does nothing; other sessions go on.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest
from samples import (
    CALLS,
    TRIPLE,
    Sibling,
    error_of,
    fails,
    ir_program,
)

from mlcompiler_gym.programs import Program
from mlcompiler_gym.service import Service
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(180)

#: Enough for the compiler, and little enough for a test.
LIMITS = pb.Limits(memory_bytes=512 << 20, deadline_ms=20_000)
#: How a session may end, or a request be refused, that asks for too much.
ENDS = (
    "CRASHED",
    "DEADLINE_EXCEEDED",
    "INVALID_PROGRAM",
    "OUT_OF_MEMORY",
    "RESOURCE_EXHAUSTED",
)


@pytest.fixture(autouse=True)
def bystander(any_service: Service) -> Iterator[Sibling]:
    sibling = Sibling(any_service)
    yield sibling
    sibling.check()


def attempt(service: Service, program: Program, pipeline: str) -> None:
    """Compile it to its end, or to an error that says what it is."""

    def compile_it() -> None:
        session = service.open(pb.Open(pipeline=pipeline, limits=LIMITS), program)
        session.emit("object")
        session.close()

    error = error_of(compile_it)
    if error is not None:
        assert error.code in ENDS
        assert error.message


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


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["verify", "default<O2>"])
@pytest.mark.parametrize("what", HUGE)
def test_huge(any_service: Service, what: str, pipeline: str) -> None:
    attempt(any_service, ir_program(TRIPLE + HUGE[what]), pipeline)


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


@pytest.mark.slow
@pytest.mark.parametrize("what", DEEP)
def test_deeply_nested(any_service: Service, what: str) -> None:
    attempt(any_service, ir_program(TRIPLE + DEEP[what]), "default<O2>")


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deeply_nested_pipelines(any_service: Service, depth: int) -> None:
    pipeline = "function(" * depth + "sroa" + ")" * depth
    option = pb.Option(name="actions", value=pipeline)
    for task in ("pass_ordering", "inlining"):
        describe = pb.Describe(task=task, options=[option])
        request = pb.Request(describe=describe)
        with closing(any_service.connect()) as stream:
            error = error_of(functools.partial(stream.call, request))
            assert error is None or error.code in (*ENDS, "INVALID_ARGUMENT")
    with fails("INVALID_ARGUMENT" if depth < 1000 else "CRASHED"):
        any_service.open(pb.Open(pipeline=pipeline), CALLS)


@pytest.fixture(scope="module")
def bomb() -> Program:
    """A constant of 2^40 elements whose bitcode is a few hundred bytes."""
    text = TRIPLE
    kind, body = "i8", ""
    last = "%x"
    for i in range(40):
        outer = f"[2 x {kind}]"
        body += f"  %a{i} = insertvalue {outer} poison, {kind} {last}, 0\n"
        body += f"  %b{i} = insertvalue {outer} %a{i}, {kind} {last}, 1\n"
        last, kind = f"%b{i}", outer
    text += f"define void @f(ptr %p) {{\n  %x = add i8 1, 1\n{body}"
    text += f"  store {kind} {last}, ptr %p\n  ret void\n}}\n"
    return ir_program(text, "bomb")


def test_a_bitcode_bomb(any_service: Service, bomb: Program) -> None:
    """Given as text, then as the bitcode that the compiler makes of it."""
    session = any_service.open(
        pb.Open(pipeline="function(instsimplify)", limits=LIMITS), bomb
    )
    bitcode = session.emit("bitcode")
    assert len(bitcode) < 10_000
    with fails("OUT_OF_MEMORY", "memory limit", ended=True):
        session.emit("object")
    for pipeline in ("verify", "default<O2>"):
        attempt(any_service, Program("bomb", bitcode), pipeline)


def test_memory_stays_within_its_limit(any_service: Service) -> None:
    text = TRIPLE + HUGE["data"]
    session = any_service.open(
        pb.Open(pipeline="verify", limits=LIMITS), ir_program(text)
    )
    process = psutil.Process(session.opened.pid)
    before = process.memory_info().rss
    with fails("OUT_OF_MEMORY", ended=True):
        session.emit("object")
    assert before < 512 << 20


def test_a_reply_has_a_limit_as_a_request_has(any_service: Service) -> None:
    size = 300 << 20
    text = f'@a = global [{size} x i8] zeroinitializer, section ".data.a"\n'
    session = any_service.open(pb.Open(pipeline="verify"), ir_program(TRIPLE + text))
    with fails("RESOURCE_EXHAUSTED", "reply", str(256 << 20), ended=False):
        session.emit("object")
    # It goes on.
    assert "@a" in session.observe("ir")["ir"]
    session.close()
