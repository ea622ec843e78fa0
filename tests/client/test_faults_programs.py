# SPDX-License-Identifier: Apache-2.0
"""Programs that cannot be read, are broken, or bring the compiler down.

Each ends its own session with an error that says what and why. A sibling, in
the middle of a compile of its own, must not notice.
"""

from collections.abc import Callable, Iterator

import gymnasium
import hypothesis
import hypothesis.strategies as st
import pytest
from support.samples import (
    NO_CALLS,
    TRIPLE,
    Sibling,
    calls_ir,
    compile_whole,
    fails,
    inlining,
    ir_program,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)

ARBITRARY = hypothesis.settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    # The service outlives an example on purpose: that is what is tested.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    yield sibling
    sibling.check()


@pytest.fixture
def bitcode(sibling: Sibling) -> bytes:
    return sibling.session.emit("bitcode")


@pytest.mark.parametrize(
    "cut", [1, 3, 4, 7, 8, 100, 0.25, 0.5, 0.9, -4, -1], ids=lambda cut: f"at{cut}"
)
def test_truncated_bitcode(service: LocalService, bitcode: bytes, cut: float) -> None:
    size = int(len(bitcode) * cut) if isinstance(cut, float) else int(cut)
    with fails("INVALID_PROGRAM", "LLVM 22", ended=True):
        service.open(inlining(), Program("cut", bitcode[:size]))


def test_an_empty_file_is_no_program(service: LocalService) -> None:
    # LLVM reads it as a module that holds nothing, and so no text is its size.
    with fails("INVALID_PROGRAM", "empty", ended=True):
        service.open(inlining(), Program("empty", b""))


@ARBITRARY
@hypothesis.given(data=st.binary(max_size=2000))
def test_random_bytes_behind_the_magic(service: LocalService, data: bytes) -> None:
    with fails("INVALID_PROGRAM"):
        compile_whole(service, Program("random", b"BC\xc0\xde" + data))


@ARBITRARY
@hypothesis.given(data=st.data())
def test_flipped_bytes(
    service: LocalService, bitcode: bytes, data: st.DataObject
) -> None:
    changed = bytearray(bitcode)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(8, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    limits = pb.Limits(deadline_ms=5000, memory_bytes=1 << 30)
    errors = []
    try:
        compile_whole(service, Program("flipped", bytes(changed)), limits=limits)
    except ServiceError as caught:
        errors.append(caught)
    # LLVM does not promise to survive bitcode that lies; we promise that the
    # client hears of it.
    for error in errors:
        assert error.code in (
            "CRASHED",
            "DEADLINE_EXCEEDED",
            "INVALID_ARGUMENT",
            "INVALID_PROGRAM",
            "OUT_OF_MEMORY",
        )
        assert error.message
        assert error.session_ended


def test_bitcode_of_a_later_epoch(service: LocalService, bitcode: bytes) -> None:
    # LLVM has been at epoch 0 ever since, so no tool writes another. It is the
    # last record of the first block: an abbreviation's number, 5, in five bits,
    # then the epoch in six, then zeros up to a multiple of 32 bits.
    words = int.from_bytes(bitcode[8:12], "little")
    block = int.from_bytes(bitcode[12 : 12 + 4 * words], "little")
    number = block.bit_length() - 3
    assert block >> number == 5, "the writer lays the block out differently now"
    block |= 3 << number + 5
    later = bitcode[:12] + block.to_bytes(4 * words, "little")
    program = Program("later", later + bitcode[len(later) :])
    with fails("INVALID_PROGRAM", "epoch", "LLVM 22", ended=True):
        service.open(inlining(), program)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("this is no program", ["expected top-level entity", "LLVM 22"]),
        ("define i32 @f() { ret i32 undefined }", ["expected value token"]),
        ("define void @f() { futureop void\n ret void }", ["futureop"]),
        (
            "define i32 @f(i1 %c) {\n  br i1 %c, label %a, label %b\na:\n"
            "  %x = add i32 1, 2\n  br label %b\nb:\n  ret i32 %x\n}",
            ["verifier", "dominate", "%x"],
        ),
        (
            'define void @f() {\n  call void asm "not an instruction", ""()\n'
            "  ret void\n}",
            ["code generator", "not an instruction"],
        ),
        (
            'module asm "not an instruction"\ndefine void @f() {\n  ret void\n}',
            ["code generator", "not an instruction"],
        ),
        (
            "declare i64 @llvm.read_register.i64(metadata)\ndefine i64 @f() {\n"
            "  %r = call i64 @llvm.read_register.i64(metadata !0)\n"
            '  ret i64 %r\n}\n!0 = !{!"nonsense"}',
            ["nonsense"],
        ),
    ],
    ids=["prose", "value", "opcode", "verifier", "asm", "module-asm", "register"],
)
def test_what_the_compiler_refuses(
    service: LocalService, text: str, words: list[str]
) -> None:
    with fails("INVALID_PROGRAM", *words, ended=True):
        compile_whole(service, ir_program(TRIPLE + text))


def test_an_unknown_target_is_named(service: LocalService) -> None:
    program = ir_program(NO_CALLS.replace("x86_64-pc", "riscv64-unknown"))
    with fails("INVALID_ARGUMENT", "riscv64", "x86-64", "aarch64"):
        service.open(inlining(), program)


def test_inline_assembly_that_fails_late_ends_the_episode(
    service: LocalService, make: Callable[..., CompilerEnv]
) -> None:
    broken = 'define void @f() {\n  call void asm "nonsense", ""()\n  ret void\n}\n'
    env = make(programs=ir_program(calls_ir() + broken))
    env.reset()
    for _ in range(7):
        assert not any(env.step(0)[2:4])
    *_, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["error_code"] == "INVALID_PROGRAM"
    assert "nonsense" in info["error"]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    # The heuristic compiler cannot either.
    env.reset()
