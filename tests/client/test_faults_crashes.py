# SPDX-License-Identifier: Apache-2.0
"""Programs that bring the compiler down, or take more than they may.

Each ends its own session with an error that says what and where. A sibling, in
the middle of a compile of its own, must not notice.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.samples import (
    CALLS,
    SLOW,
    TRIPLE,
    Sibling,
    compile_whole,
    fails,
    inlining,
    ir_program,
    pack,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def sibling(service: LocalService) -> Iterator[Sibling]:
    sibling = Sibling(service)
    yield sibling
    sibling.check()


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
    pipeline: str,
    pass_name: str,
    signal: str,
) -> None:
    session = service.open(inlining(pipeline=f"inliner-wrapper,{pipeline}"), CALLS)
    with fails("CRASHED", pass_name, signal, "only this session", ended=True) as caught:
        session.step(pack(*[0] * 8))
    assert caught[0].signal == signal
    assert caught[0].pass_name == pass_name


def test_a_fatal_error_in_a_pass(service: LocalService) -> None:
    # This cpu cannot run 64-bit code, which a pass finds out when it asks.
    with fails("CRASHED", "64-bit", " in ", ended=True) as caught:
        service.open(inlining(cpu="i386"), CALLS)
    assert caught[0].signal == ""
    assert caught[0].pass_name.endswith(" on leaf0")


def test_a_fatal_error_in_the_code_generator(service: LocalService) -> None:
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
def test_an_overflown_stack_is_reported(service: LocalService, text: str) -> None:
    with fails("CRASHED", "SIGSEGV", "reading the program", ended=True) as caught:
        service.open(inlining(), ir_program(TRIPLE + text))
    assert caught[0].signal == "SIGSEGV"


def test_names_that_are_not_text_can_be_reported(service: LocalService) -> None:
    text = TRIPLE + 'define void @"\\FF\\C3("() {\n  ret void\n}\n'
    pipeline = "function(trigger-crash-function)"
    with fails("CRASHED", "TriggerCrashFunctionPass on ??("):
        service.open(inlining(pipeline=pipeline), ir_program(text))
    # And observed.
    session = service.open(inlining(), ir_program(text))
    assert "define" in session.observe("ir")["ir"]
    session.close()


def test_memory_that_runs_out_ends_the_episode(
    make: Callable[..., CompilerEnv],
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
    # Between two passes it is their manager or adaptor that runs.
    assert re.search("Pass(Manager|Adaptor)? on ", caught[0].pass_name)
    hurried = make(programs=env.setup.programs[0], deadline=0.003)
    with fails("DEADLINE_EXCEEDED", "3 ms", ended=True):
        hurried.reset()
