# SPDX-License-Identifier: Apache-2.0
"""program_cycles: mca_cycles, with functions entered as often as they are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlcompiler_gym import LocalService, Program, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

Write = Callable[[str, str], Path]
#: From C to both objectives.
Compiled = Callable[[str], tuple[float, float]]

BOTH = ("program_cycles", "mca_cycles")
#: A function of its own, and a loop that calls it; {0} says whether it is inlined.
LOOP = """
static __attribute__(({0})) int work(int x) {{
  return x * x / (x + 3) + (x ^ 77) * x / 5;
}}
int f(const int *a, int n) {{
  int s = 0;
  for (int i = 0; i < n; i++)
    s += work(a[i]);
  return s;
}}
"""


def values(
    service: LocalService, program: Program, cpu: str = "skylake"
) -> tuple[float, float]:
    """Both objectives of a program at -O1, which makes no vectors of loops."""
    request = pb.Open(pipeline="default<O1>", cpu=cpu, objectives=BOTH)
    session = service.open(request, program)
    found = {m.objective: m.value for m in session.opened.state.outcome.measurements}
    session.close()
    return found[BOTH[0]], found[BOTH[1]]


@pytest.fixture
def compiled(service: LocalService, write_file: Write) -> Compiled:
    def compile_c(text: str) -> tuple[float, float]:
        path = write_file("program.c", text)
        return values(service, load_programs(path, level="O2")[0])

    return compile_c


def test_inlining_into_a_loop_is_not_a_loss(compiled: Compiled) -> None:
    called, called_once = compiled(LOOP.format("noinline"))
    inlined, inlined_once = compiled(LOOP.format("always_inline"))
    assert inlined_once > 5 * called_once
    # The call and its return are saved, and little else.
    assert 0.6 * called < inlined < called


def test_functions_that_others_see_are_entered_once(compiled: Compiled) -> None:
    one = "int f(int a, int b) { return a / b; }\n"
    program, once = compiled(one + one.replace("f(", "g("))
    assert program == once > 0


def test_tail_calls_are_calls(compiled: Compiled) -> None:
    text = "static __attribute__((noinline)) int g(int a, int b) {{ return a / b; }}\n"
    text += "int f(int a, int b) {{ if (b) return g(a, b{0}); return 1; }}\n"
    tail, _ = compiled(text.format(""))
    nothing, _ = compiled("int f(int a, int b) { if (b) return a; return 1; }\n")
    assert tail > nothing + 5


@pytest.mark.parametrize("inlined", ["noinline", "always_inline"])
def test_calls_by_pointer_are_counted(compiled: Compiled, inlined: str) -> None:
    text = (
        "static int g(int a) { return a / 7 % 13; }\n"
        "int (*volatile pointer)(int) = g;\n"
        f"static __attribute__(({inlined})) int loop(int n) {{ int s = 0;\n"
        "  for (int i = 0; i < n; i++) s += pointer(i); return s; }\n"
        "int f(int n) { return loop(n); }\n"
    )
    program, once = compiled(text)
    # Once by itself, and with each round of the loop.
    assert program > 2 * once


def test_recursion_has_an_end(compiled: Compiled) -> None:
    program, once = compiled(
        "int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2) / n; }\n"
    )
    assert once < program < 100 * once


def test_the_same_on_another_machine(service: LocalService, write_file: Write) -> None:
    found = []
    for inlined in ("noinline", "always_inline"):
        path = write_file(f"{inlined}.c", LOOP.format(inlined))
        program = load_programs(path, target="aarch64-linux-gnu", level="O2")[0]
        found.append(values(service, program, cpu="neoverse-n1"))
    (called, called_once), (within, within_once) = found
    assert within_once > 2 * called_once
    assert 0.5 * called < within < called


def test_a_loop_that_a_conditional_tail_call_leaves_ends(compiled: Compiled) -> None:
    """Such a jump has no successor, and LLVM then knows no end of the loop."""
    text = (
        "void done(int *);\n"
        "__attribute__((minsize)) {0} f(int *a, long n) {{\n"
        "  for (long i = 0; i != n; i++) a[i] ^= 3;\n"
        "  {1}done(a);{2} }}\n"
    )
    tail, _ = compiled(text.format("void", "", ""))
    plain, _ = compiled(text.format("int", "", "return 1;"))
    assert plain / 2 < tail < 2 * plain
