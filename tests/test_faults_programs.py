# SPDX-License-Identifier: Apache-2.0
"""Programs that cannot be read, are broken, or bring the compiler down.

Each ends its own session with an error that says what and why. A sibling, in
the middle of a compile of its own, must not notice.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium
import hypothesis
import hypothesis.strategies as st
import pytest
from samples import (
    CALLS,
    NO_CALLS,
    SLOW,
    TRIPLE,
    Sibling,
    calls_ir,
    fails,
    inlining,
    ir_program,
    pack,
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


@pytest.fixture
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    yield sibling
    sibling.check()


@pytest.fixture
def bitcode(service: LocalService, sibling: Sibling) -> bytes:
    return sibling.session.emit("bitcode")


def compile_whole(service: LocalService, program: Program, **fields: object) -> None:
    session = service.open(inlining(**fields), program)
    try:
        if session.opened.state.HasField("features"):
            session.step(pack(*[0] * 1000))
    finally:
        session.close()


@pytest.mark.parametrize(
    "cut", [1, 3, 4, 7, 8, 100, 0.25, 0.5, 0.9, -4, -1], ids=lambda cut: f"at{cut}"
)
def test_truncated_bitcode(service: LocalService, bitcode: bytes, cut: float) -> None:
    size = int(len(bitcode) * cut) if isinstance(cut, float) else int(cut)
    with fails("INVALID_PROGRAM", "LLVM 22", ended=True):
        service.open(inlining(), Program("cut", bitcode[:size]))


@ARBITRARY
@hypothesis.given(data=st.binary(max_size=2000))
def test_random_bytes_behind_the_magic(
    service: LocalService, sibling: Sibling, data: bytes
) -> None:
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
    try:
        compile_whole(service, Program("flipped", bytes(changed)), limits=limits)
    except ServiceError as error:
        # LLVM does not promise to survive bitcode that lies; we promise that
        # the client hears of it.
        assert error.code in (
            "CRASHED",
            "DEADLINE_EXCEEDED",
            "INVALID_ARGUMENT",
            "INVALID_PROGRAM",
            "OUT_OF_MEMORY",
        )
        assert error.message
        assert error.session_ended


def test_bitcode_of_a_later_epoch(
    service: LocalService, sibling: Sibling, bitcode: bytes
) -> None:
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
    service: LocalService, sibling: Sibling, text: str, words: list[str]
) -> None:
    with fails("INVALID_PROGRAM", *words, ended=True):
        compile_whole(service, ir_program(TRIPLE + text))


def test_an_unknown_target_is_named(service: LocalService, sibling: Sibling) -> None:
    program = ir_program(NO_CALLS.replace("x86_64-pc", "riscv64-unknown"))
    with fails("INVALID_ARGUMENT", "riscv64", "targets"):
        service.open(inlining(), program)


def test_inline_assembly_that_fails_late_ends_the_episode(
    service: LocalService, sibling: Sibling, make: Callable[..., CompilerEnv]
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


@pytest.mark.parametrize(
    ("pipeline", "pass_name", "signal"),
    [
        ("trigger-crash-module", "TriggerCrashModulePass", "SIGABRT"),
        (
            "function(trigger-crash-function)",
            "TriggerCrashFunctionPass on leaf0",
            "SIGABRT",
        ),
    ],
)
def test_a_pass_that_crashes(
    service: LocalService,
    sibling: Sibling,
    pipeline: str,
    pass_name: str,
    signal: str,
) -> None:
    session = service.open(inlining(pipeline=f"inliner-wrapper,{pipeline}"), CALLS)
    with fails("CRASHED", pass_name, signal, "only this session", ended=True) as caught:
        session.step(pack(*[0] * 8))
    assert caught[0].signal == signal
    assert caught[0].pass_name == pass_name


def test_a_fatal_error_in_a_pass(service: LocalService, sibling: Sibling) -> None:
    # This cpu cannot run 64-bit code, which a pass finds out when it asks.
    with fails("CRASHED", "64-bit", " in ", ended=True) as caught:
        service.open(inlining(cpu="i386"), CALLS)
    assert caught[0].signal == ""
    assert caught[0].pass_name.endswith(" on leaf0")


def test_a_fatal_error_in_the_code_generator(
    service: LocalService, sibling: Sibling
) -> None:
    # An intrinsic of another architecture cannot be selected.
    text = (
        "declare void @llvm.aarch64.isb(i32)\ndefine void @f() {\n"
        "  call void @llvm.aarch64.isb(i32 15)\n  ret void\n}"
    )
    with fails("CRASHED", "isb", "code generation", ended=True) as caught:
        compile_whole(service, ir_program(TRIPLE + text))
    assert caught[0].signal == ""
    assert caught[0].pass_name == "code generation"


@pytest.mark.parametrize(
    "text",
    [
        "@g = global " + "[1 x " * 100_000 + "i8" + "]" * 100_000 + " undef",
        "@g = global i64 "
        + "add (i64 " * 50_000
        + "ptrtoint (ptr @g to i64)"
        + ", i64 1)" * 50_000,
    ],
    ids=["types", "expressions"],
)
def test_an_overflown_stack_is_reported(
    service: LocalService, sibling: Sibling, text: str
) -> None:
    with fails("CRASHED", "SIGSEGV", "reading the program", ended=True) as caught:
        service.open(inlining(), ir_program(TRIPLE + text))
    assert caught[0].signal == "SIGSEGV"


def test_names_that_are_not_text_can_be_reported(
    service: LocalService, sibling: Sibling
) -> None:
    text = TRIPLE + 'define void @"\\FF\\C3("() {\n  ret void\n}\n'
    pipeline = "function(trigger-crash-function)"
    with fails("CRASHED", "TriggerCrashFunctionPass on ??("):
        service.open(inlining(pipeline=pipeline), ir_program(text))
    # And observed.
    session = service.open(inlining(), ir_program(text))
    assert "define" in session.observe("ir")["ir"]
    session.close()


def test_memory_that_runs_out_ends_the_episode(
    sibling: Sibling, make: Callable[..., CompilerEnv]
) -> None:
    env = make(programs=SLOW, memory_limit=20 << 20)
    env.reset()
    for _ in range(8):
        *_, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["error_code"] == "OUT_OF_MEMORY"
    assert "memory limit" in info["error"]
    assert env.reset()[1]["program"] == "slow"


STB = Path("/usr/include/stb/stb_image.h")


@pytest.mark.skipif(not STB.exists(), reason="needs libstb-dev")
def test_a_deadline_that_passes_in_a_pass_of_a_real_program(
    sibling: Sibling,
    make: Callable[..., CompilerEnv],
    write_file: Callable[[str, str], Path],
) -> None:
    source = write_file(
        "image.c", f'#define STB_IMAGE_IMPLEMENTATION\n#include "{STB}"\n'
    )
    # To read the program takes some 20 ms, to compile it more than a second.
    env = make(programs=source)
    env.reset()
    request = pb.Request(step=pb.Step(actions=pack(*[0] * 100_000)), deadline_ms=80)
    with fails("DEADLINE_EXCEEDED", "80 ms", " in ", ended=True) as caught:
        env.session.call(request)
    assert "Pass on " in caught[0].pass_name
    hurried = make(programs=env.setup.programs[0], deadline=0.003)
    with fails("DEADLINE_EXCEEDED", "3 ms", ended=True):
        hurried.reset()
