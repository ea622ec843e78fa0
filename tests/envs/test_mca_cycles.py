# SPDX-License-Identifier: Apache-2.0
"""mca_cycles: against llvm-mca itself, block by block."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.toolchain import run

from mlcompiler_gym import LocalService, Program, ServiceError, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

Write = Callable[[str, str], Path]

#: One block each, so that every block is executed as often as the function.
STRAIGHT = {
    "floats": "double f(double *a) { return a[0] * a[1] + a[2] / a[3]; }",
    "integers": "long f(long *a) { a[1] = a[2] * a[3]; return (a[4] << 3) ^ a[5]; }",
    "division": "int f(int a, int b) { return a / b + a % b; }",
    "vectors": "typedef int v4 __attribute__((vector_size(16)));"
    "v4 f(v4 a, v4 b) { return a * b + a; }",
}
CPUS = {
    "x86_64-linux-gnu": ("x86-64", "skylake", "znver4"),
    "aarch64-linux-gnu": ("cortex-a76", "neoverse-n1"),
}

LOOP = """
define i32 @f(ptr %a, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %s = phi i32 [ 0, %entry ], [ %sum, %loop ]
  %p = getelementptr i32, ptr %a, i32 %i
  %v = load i32, ptr %p
  %m = mul i32 %v, %v
  %sum = add i32 %s, %m
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, %n
  br i1 %more, label %loop, label %exit
exit:
  ret i32 %sum
}
"""


def measured(
    service: LocalService, program: Program, cpu: str, pipeline: str = "default<O2>"
) -> tuple[float, bytes]:
    """``mca_cycles`` of a program, and its assembly."""
    request = pb.Open(pipeline=pipeline, cpu=cpu, objectives=["mca_cycles"])
    session = service.open(request, program)
    value = session.opened.state.outcome.measurements[0].value
    assembly = session.emit("assembly")
    session.close()
    return value, assembly


def throughput(assembly: bytes, target: str, cpu: str) -> float:
    """What llvm-mca says of all of the assembly, taken as one block."""
    report = run(
        "llvm-mca-22", f"-mtriple={target}", f"-mcpu={cpu}", "-", data=assembly
    )
    found = re.search(rb"^Block RThroughput: +([0-9.]+)$", report, re.MULTILINE)
    assert found is not None, report
    return float(found[1])


@pytest.mark.parametrize("name", STRAIGHT)
@pytest.mark.parametrize(
    ("target", "cpu"), [(target, cpu) for target in CPUS for cpu in CPUS[target]]
)
def test_a_block_costs_what_llvm_mca_says(
    service: LocalService, write_file: Write, name: str, target: str, cpu: str
) -> None:
    path = write_file("straight.c", STRAIGHT[name])
    program = load_programs(path, target=target, level="O2")[0]
    value, assembly = measured(service, program, cpu)
    # llvm-mca prints one decimal or two.
    assert value == pytest.approx(throughput(assembly, target, cpu), abs=0.051)
    assert value > 0


def test_blocks_are_weighted_by_frequency(service: LocalService) -> None:
    triple = 'target triple = "x86_64-linux-gnu"\n'
    program = Program("loop", (triple + LOOP).encode())
    value, assembly = measured(service, program, "skylake", "verify")
    lines = assembly.decode().splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith(".LBB0_1"))
    end = next(i for i, line in enumerate(lines) if i > begin and "\tj" in line)
    body = "\n".join(lines[begin : end + 1]).encode()
    cycles = throughput(body, "x86_64-linux-gnu", "skylake")
    # Without a profile LLVM takes a loop to be run 32 times.
    assert 31 * cycles < value < 33 * cycles + 8


def test_the_sum_is_over_functions(service: LocalService, write_file: Write) -> None:
    one = "int f(int a, int b) { return a / b; }\n"
    two = one + one.replace("f(", "g(")
    programs = [
        load_programs(write_file(f"{count}.c", text), level="O2")[0]
        for count, text in enumerate((one, two), start=1)
    ]
    values = [measured(service, program, "skylake")[0] for program in programs]
    assert values[1] == 2 * values[0] > 0


def test_measuring_says_nothing_on_stderr(
    service: LocalService, capfd: pytest.CaptureFixture[str]
) -> None:
    """llvm-mca's library warns of every call."""
    measured(service, load_programs("kernels/lz", level="O2")[0], "skylake")
    assert capfd.readouterr().err == ""


def test_a_cpu_without_a_scheduling_model(service: LocalService) -> None:
    program = Program("none", b'target triple = "i386-linux-gnu"\n' + LOOP.encode())
    with pytest.raises(ServiceError, match="i386") as caught:
        measured(service, program, "i386")
    assert caught.value.code == "INVALID_ARGUMENT"
