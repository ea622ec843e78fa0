# SPDX-License-Identifier: Apache-2.0
"""Optimised code that computes the same, and code that does not."""

import importlib
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import toolchain

from mlcompiler_gym import MLCompilerGymError, Program, ProgramError, load_programs
from mlcompiler_gym.lru import Lru
from mlcompiler_gym.validation import (
    Limits,
    MachineError,
    MiscompileError,
    Validation,
    reference_object,
    validate,
)
from mlcompiler_gym.validation.reference import Reference

# By name, since the package has a function of that name too.
validate_module = importlib.import_module("mlcompiler_gym.validation.validate")

QUICK = Limits(cpu_seconds=1, output_bytes=10000)

SUM = """
int square(int x) { return x OPERATOR x; }
int main(int argc, char **argv) {
  int n = argc > 1 ? atoi(argv[1]) : 3, sum = 0;
  printf("numbers to %d\\n", n);
  for (int i = 1; i <= n; i++) { sum += square(i); printf("%d %d\\n", i, sum); }
  return 0;
}
"""

INPUTS = ((), ("1",), ("2", "a b"))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> Lru[Reference]:
    cache: Lru[Reference] = Lru(10, 1000, lambda each: each.size)
    monkeypatch.setattr(validate_module, "_CACHE", cache)
    return cache


def program_of(
    source: str, inputs: tuple[tuple[str, ...], ...] | None = ((),)
) -> Program:
    headers = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    command = ("clang-22", "-Oz", "-Xclang", "-disable-llvm-passes", "-emit-llvm")
    bitcode = toolchain.run(
        *(*command, "-fPIE", "-w", "-x", "c", "-c", "-o", "-", "-"),
        data=(headers + source).encode(),
    )
    return Program("of/test", bitcode, inputs)


def body_of(body: str, inputs: tuple[tuple[str, ...], ...] = ((),)) -> Program:
    return program_of("int main(int argc, char **argv) {" + body + "}", inputs)


def optimised(program: Program) -> bytes:
    return toolchain.heuristic_object(program.bitcode)


def check(right: Program, wrong: Program, limits: Limits = QUICK) -> Validation:
    """Validate what another program was compiled to."""
    return validate(right, optimised(wrong), limits=limits)


def test_the_same() -> None:
    program = program_of(SUM.replace("OPERATOR", "*"), INPUTS)
    found = validate(program, optimised(program))
    assert found.ok
    assert found.status == "same"
    assert found.report() == (
        "of/test: the optimised code computes the same on 3 inputs"
    )
    found.raise_if_wrong()


def test_another_output() -> None:
    found = check(
        program_of(SUM.replace("OPERATOR", "*"), INPUTS),
        program_of(SUM.replace("OPERATOR", "+"), INPUTS),
    )
    assert found.status == "different"
    assert [difference.input for difference in found.differences] == list(INPUTS)
    assert {difference.kind for difference in found.differences} == {"output"}
    report = found.report()
    assert "MISCOMPILED" in report
    assert "3 of 3 inputs" in report
    assert "  input (no arguments): output\n    output, line 2:\n" in report
    assert "      expected: 1 1\n      actual: 1 2\n" in report
    assert "  input 2 'a b': output" in report
    assert found.program_sha256 in report
    assert "end of the program" not in report


def test_a_planted_miscompile() -> None:
    """An instruction of the optimised IR is another one, and one input shows it."""
    source = """
    int twist(int x) { return x > 5 ? x * 77 : x; }
    int main(int argc, char **argv) { printf("%d\\n", twist(atoi(argv[1]))); }
    """
    program = program_of(source, (("1",), ("9",)))
    ir = toolchain.run(
        "opt-22", "-passes=default<O2>", "-S", "-o", "-", data=program.bitcode
    ).decode()
    assert ", 77" in ir

    def compile_ir(text: str) -> bytes:
        llc = ("llc-22", "-relocation-model=pic", "-filetype=obj", "-o", "-")
        return toolchain.run(*llc, data=text.encode())

    assert validate(program, compile_ir(ir)).ok
    found = validate(program, compile_ir(ir.replace(", 77", ", 78")))
    assert [difference.input for difference in found.differences] == [("9",)]
    report = found.report()
    assert "1 of 2 inputs" in report
    assert "input 9: output" in report
    assert "input 1" not in report
    assert "expected: 693" in report
    assert "actual: 702" in report
    with pytest.raises(MiscompileError) as caught:
        found.raise_if_wrong()
    assert str(caught.value) == report
    assert isinstance(caught.value, MLCompilerGymError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == report
    assert copy.validation == found


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("return 4;", "exit status", "actual: exit status 4"),
        ("abort();", "signal", "actual: ended by SIGABRT"),
        ("for (volatile int i = 0;;) i++;", "timed out", "actual: its time was up"),
        ('for (;;) puts("");', "endless output", "printed more than 10000 bytes"),
    ],
)
def test_another_end(body: str, kind: str, says: str) -> None:
    found = check(body_of("return 3;"), body_of(body))
    (difference,) = found.differences
    assert difference.kind == kind
    assert difference.repeatable
    assert f"input (no arguments): {kind}" in found.report()
    assert "expected: exit status 3" in found.report()
    assert says in found.report()


def test_a_program_may_fail() -> None:
    program = body_of('puts("no"); return 1;')
    assert check(program, program).ok


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("abort();", "unoptimised: ended by SIGABRT"),
        ("for (volatile int i = 0;;) i++;", "unoptimised: its time was up"),
        ('for (;;) puts("");', "unoptimised: it printed more than 10000 bytes"),
    ],
)
def test_an_invalid_reference(body: str, says: str) -> None:
    program = body_of(f"if (argc > 1) {{ {body} }} return 0;", ((), ("x",)))
    found = check(program, program)
    assert found.status == "invalid reference"
    assert not found.ok
    assert not found.differences
    assert [unusable.input for unusable in found.unusable] == [("x",)]
    assert "MISCOMPILED" not in found.report()
    assert "input x: invalid reference" in found.report()
    assert says in found.report()
    found.raise_if_wrong()


def test_a_wrong_input_beside_an_invalid_one() -> None:
    inputs = ((), ("x",))
    found = check(
        body_of("if (argc > 1) abort(); return 0;", inputs),
        body_of("if (argc > 1) abort(); return 1;", inputs),
    )
    assert found.status == "different"
    assert len(found.unusable) == 1
    with pytest.raises(MiscompileError):
        found.raise_if_wrong()


def test_not_deterministic() -> None:
    program = program_of(
        """
        #include <time.h>
        int main(void) {
          struct timespec t;
          clock_gettime(CLOCK_MONOTONIC, &t);
          printf("it is\\n%ld.%ld\\n", (long)t.tv_sec, t.tv_nsec);
        }
        """
    )
    found = check(program, program)
    assert found.status == "not deterministic"
    assert not found.differences
    report = found.report()
    assert "output, line 2:" in report
    assert "MISCOMPILED" not in report
    found.raise_if_wrong()


def test_an_optimised_program_that_is_not_deterministic() -> None:
    found = check(
        body_of('printf("%p", (void *)0);'), body_of('printf("%p", (void *)main);')
    )
    (difference,) = found.differences
    assert not difference.repeatable
    assert "run once more" in found.report()


@pytest.mark.parametrize("inputs", [None, ()])
def test_no_inputs(inputs: tuple[tuple[str, ...], ...] | None) -> None:
    program = program_of("int main(void) { return 0; }", inputs)
    with pytest.raises(ProgramError, match="of/test cannot be run"):
        validate(program, optimised(program))


def test_another_machine() -> None:
    host = os.uname().machine
    other = "aarch64" if host == "x86_64" else "x86_64"
    program = body_of("return 0;")
    foreign = load_programs("kernels/lz", target=f"{other}-linux-gnu")[0]
    code = reference_object(foreign)
    with pytest.raises(MachineError, match=f"{other} and cannot be run"):
        validate(program, code)


def test_a_given_reference() -> None:
    right, wrong = body_of("return 3;"), body_of("return 4;")
    # Not what the program says: the reference counts, also for what is cached.
    assert validate(right, optimised(wrong), reference=optimised(wrong)).ok
    assert validate(right, optimised(right)).ok
    assert not validate(right, optimised(right), reference=optimised(wrong)).ok


def test_the_reference_is_not_optimised() -> None:
    program = program_of("static int f(void) { return 1; } int main() { f(); }")
    assert len(optimised(program)) < len(reference_object(program))


def test_a_reference_that_does_not_compile() -> None:
    program = Program("of/test", b"no module", ((),))
    with pytest.raises(ProgramError, match="of/test does not compile"):
        validate(program, optimised(body_of("return 0;")))


def test_the_reference_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compile_once(*arguments: object) -> bytes:
        compiled.append(arguments)
        return reference_object(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(validate_module, "reference_object", compile_once)
    program = program_of(SUM.replace("OPERATOR", "*"), INPUTS)
    for _ in range(3):
        assert validate(program, optimised(program)).ok
    assert len(compiled) == 1
    validate(program, optimised(program), limits=QUICK)
    assert len(compiled) == 2


def test_a_reference_without_time_is_tried_again(cache: Lru[Reference]) -> None:
    program = body_of("for (volatile int i = 0;;) i++;")
    assert check(program, program).status == "invalid reference"
    assert len(cache) == 0


def test_threads() -> None:
    right = program_of(SUM.replace("OPERATOR", "*"), INPUTS)
    wrong = program_of(SUM.replace("OPERATOR", "-"), INPUTS)
    codes = {"same": optimised(right), "different": optimised(wrong)}
    wanted = ["same", "different"] * 6
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: validate(right, codes[name]), wanted))
    assert [validation.status for validation in found] == wanted
    assert len({validation.report() for validation in found}) == 2
