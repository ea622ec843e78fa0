# SPDX-License-Identifier: Apache-2.0
"""What comes out of a compile: code, text, and numbers that other tools agree with."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from support.samples import REAL
from support.strategies import call_graphs, examples
from support.toolchain import (
    KERNEL_NAMES,
    always,
    at_random,
    echo,
    executable_bytes,
    finish,
    follow,
    heuristic_object,
    instruction_count,
    play,
    run,
)

from mlcompiler_gym import InliningEnv, Program
from mlcompiler_gym.envs import CompilerEnv

Make = Callable[..., CompilerEnv]


def assert_echo_gives_llvms_own_object(
    env: CompilerEnv, pipeline: str = "default<Oz>", cpu: str = ""
) -> None:
    """Repeating the heuristic is the heuristic, to the last byte."""
    rewards, terminated, _, info = play(env, echo)
    assert terminated
    assert len(rewards) > 3
    # Not `==`: a failure would print two object files.
    same = env.emit("object") == heuristic_object(env.program.bitcode, pipeline, cpu)
    assert same, f"the object of {env.program.name} differs"
    assert rewards[-1] == 0.0, info


@pytest.mark.parametrize("target", ["x86_64-linux-gnu", "aarch64-linux-gnu"])
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_echo_gives_llvms_own_object(make: Make, kernel: str, target: str) -> None:
    env = make(
        programs=f"kernels/{kernel}",
        target=target,
        inlining_default=True,
    )
    assert_echo_gives_llvms_own_object(env)


@pytest.mark.parametrize(
    "name",
    [
        "stb_truetype.c",
        pytest.param("stb_image.c", marks=pytest.mark.slow),
        pytest.param("json.cpp", marks=pytest.mark.slow),
    ],
)
def test_echo_of_a_real_program(
    make: Make, write_file: Callable[[str, str], Path], name: str
) -> None:
    path = write_file(name, REAL[name])
    env = make(programs=path, inlining_default=True)
    assert_echo_gives_llvms_own_object(env)


@pytest.mark.parametrize(
    ("flags", "pipeline", "cpu"),
    [
        (["-O1"], "default<O1>", ""),
        (["-O3"], "default<O3>", "znver4"),
        (["-O2", "-g"], "default<O2>", ""),
        (["-Os"], "thinlto-pre-link<Os>", "skylake"),
    ],
)
def test_echo_of_other_pipelines(
    make: Make, flags: list[str], pipeline: str, cpu: str, small_c: Path
) -> None:
    env = make(
        programs=small_c,
        clang_flags=flags,
        pipeline=pipeline,
        cpu=cpu or None,
        inlining_default=True,
    )
    assert_echo_gives_llvms_own_object(env, pipeline, cpu)


@examples(15)
@given(program=call_graphs())
def test_echo_of_random_programs(make: Make, program: Program) -> None:
    env = make(programs=program, inlining_default=True)
    play(env, echo)
    same = env.emit("object") == heuristic_object(program.bitcode)
    assert same, "the objects differ"
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("level", ["O1", "O2", "O3", "Os"])
def test_echo_of_a_real_program_at_other_levels(
    make: Make, write_file: Callable[[str, str], Path], level: str
) -> None:
    env = make(
        programs=write_file("stb.c", REAL["stb_truetype.c"]),
        clang_flags=[f"-{level}"],
        pipeline=f"default<{level}>",
        inlining_default=True,
    )
    assert_echo_gives_llvms_own_object(env, f"default<{level}>")


def test_the_cpu_matters(make: Make, write_file: Callable[[str, str], Path]) -> None:
    path = write_file(
        "pop.ll",
        "declare i32 @llvm.ctpop.i32(i32)\n"
        "define i32 @count(i32 %x) {\n"
        "  %c = call i32 @llvm.ctpop.i32(i32 %x)\n  ret i32 %c\n}\n",
    )
    env = make(programs=path, cpu="x86-64-v3", target="x86_64-linux-gnu")
    env.reset()
    assert b"popcnt" in env.emit("assembly")
    plain = make(programs=path, target="x86_64-linux-gnu")
    plain.reset()
    assert b"popcnt" not in plain.emit("assembly")


@pytest.mark.parametrize("target", ["x86_64-linux-gnu", "aarch64-linux-gnu"])
@pytest.mark.parametrize("kernel", KERNEL_NAMES[::5])
def test_objectives_agree_with_other_tools(
    make: Make, kernel: str, target: str, tmp_path: Path
) -> None:
    env = make(
        programs=f"kernels/{kernel}",
        target=target,
        objective={"text_size": 1.0, "ir_instructions": 1.0},
    )

    def check(values: Mapping[str, float]) -> None:
        env.write(tmp_path / "object.o")
        assert values["text_size"] == executable_bytes(tmp_path / "object.o")
        assert values["ir_instructions"] == instruction_count(env.emit("bitcode"))

    env.reset()
    check(env.measure())
    for _ in range(5):
        env.step(1)
    check(env.measure("ir_instructions", "text_size"))
    _, _, _, info = finish(env, at_random(1))
    check(info["objective"])
    check(env.measure())


def test_text_size_counts_all_executable_sections(
    make: Make, small_c: Path, tmp_path: Path
) -> None:
    def text_size(*flags: str) -> float:
        env = make(programs=small_c, clang_flags=flags)
        play(env, always(0))
        env.write(tmp_path / "object.o")
        listed = run("llvm-size-22", "-A", str(tmp_path / "object.o"))
        assert b".rodata" in listed
        assert (b".other" in listed) == bool(flags)
        value = env.measure()["text_size"]
        assert value == executable_bytes(tmp_path / "object.o")
        return value

    small_c.write_text(
        small_c.read_text()
        + "const int constants[100] = {1, 2, 3};\n"
        + "#ifdef APART\n"
        + """__attribute__((section(".other,\\"ax\\",@progbits#")))\n"""
        + "int apart(int x) { return x * x + 77; }\n#endif\n"
    )
    assert text_size("-DAPART") > text_size()


def test_emit_write_and_observe(make: Make, tmp_path: Path) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    finish(env, follow([1, 0, 0]))
    assert env.emit("bitcode")[:4] == b"BC\xc0\xde"
    assert b".globl\tmain" in env.emit("assembly")
    env.write(tmp_path / "lz.o")
    assert (tmp_path / "lz.o").read_bytes() == env.emit("object")
    # The text of the IR is the same module as the bitcode.
    as_bitcode = run("llvm-as-22", "-o", "-", data=env.observe("ir")["ir"].encode())
    assert instruction_count(as_bitcode) == instruction_count(env.emit("bitcode"))
    assert run("llvm-nm-22", "-", data=as_bitcode) == run(
        "llvm-nm-22", "-", data=env.emit("bitcode")
    )


def test_decisions_are_described(make: Make) -> None:
    env = make(programs="kernels/lisp")
    env.reset()
    for _ in range(12):
        decision = json.loads(env.observe("decision")["decision"])
        assert f"@{decision['callee']}(" in decision["call"]
        env.step(0)
    taken = json.loads(env.observe("decisions")["decisions"])
    assert len(taken) == 12
    assert taken[-1][0] == f"{decision['callee']} -> {decision['caller']}"


def test_render(make: Make) -> None:
    env = make(programs="kernels/lisp", render_mode="ansi")
    env.reset()
    for action in (0, 1, 1, 0):
        env.step(action)
    decision = json.loads(env.observe("decision")["decision"])
    taken = json.loads(env.observe("decisions")["decisions"])
    text = env.render()
    assert isinstance(text, str)
    for part in ("kernels/lisp", decision["caller"], decision["callee"]):
        assert part in text
    assert decision["call"] in text
    for (label, _), meaning in zip(
        taken, ("keep the call", "inline", "inline", "keep the call"), strict=True
    ):
        assert re.search(rf"{meaning} +{re.escape(label)}", text)
    _, _, _, info = finish(env, always(0))
    text = str(env.render())
    assert "finished" in text
    assert f"{info['objective']['text_size']:g}" in text


def test_render_needs_a_mode(make: Make) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    with pytest.raises(ValueError, match="render_mode='ansi'"):
        env.render()
    with pytest.raises(ValueError, match="human"):
        InliningEnv(programs="kernels/lz", render_mode="human")  # type: ignore[arg-type]
