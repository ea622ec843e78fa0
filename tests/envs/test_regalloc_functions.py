# SPDX-License-Identifier: Apache-2.0
"""One function at a time: the same decisions and the same code as in the module."""

import re
from collections import Counter

import pytest
from support.regalloc import (
    AARCH64,
    EVICTION,
    IDS,
    PRIORITY,
    TARGETS,
    X86,
    Decision,
    answer_all,
    by_features,
    code_of,
    ir,
    opening,
    pressure,
)
from support.toolchain import KERNEL_NAMES

from mlcompiler_gym import (
    LocalService,
    Program,
    load_programs,
)
from mlcompiler_gym.client import Service

TASKS = {EVICTION: "regalloc_eviction", PRIORITY: "regalloc_priority"}


def compiled(
    service: Service,
    program: Program,
    task: str,
    target: str,
    function: str = "",
    pipeline: str = "",
) -> tuple[list[Decision], str, str]:
    """Decisions of a compile that answers by what it sees; its assembly and IR."""
    request = opening(task, target_triple=target, function=function, pipeline=pipeline)
    session = service.open(request, program)
    try:
        decisions = answer_all(session, by_features(task))
        return decisions, session.emit("assembly").decode(), session.observe("ir")["ir"]
    finally:
        session.close()


def static_functions(text: str) -> set[str]:
    return set(re.findall(r"^define internal .*@([\w.]+)\(", text, re.M))


def callers_of(text: str, callees: set[str]) -> set[str]:
    bodies = re.findall(r"^define .*?@([\w.]+)\((.*?)^}", text, re.M | re.S)
    return {
        name
        for name, body in bodies
        if callees & set(re.findall(r"call .*@([\w.]+)\(", body))
    }


def check_functions(
    service: Service,
    program: Program,
    task: str,
    target: str,
    most: int = 100,
    pipeline: str = "",
) -> Counter[str]:
    """Returns how many functions of each kind were compared."""
    decisions, assembly, text = compiled(
        service, program, task, target, pipeline=pipeline
    )
    by_function: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_function.setdefault(decision.function, []).append(decision)
    static = static_functions(text)
    callers = callers_of(text, static)
    compared: Counter[str] = Counter()
    # Those that call, or are, static first; the last have no decisions.
    names = sorted(by_function, key=lambda f: (f not in callers, f not in static))
    others = re.findall(r"^define .*?@([\w.]+)\(", text, re.M)
    names = names[:most] + [each for each in others if each not in by_function][:2]
    for name in names:
        alone, its_assembly, _ = compiled(
            service, program, task, target, name, pipeline
        )
        where = f"{program.name} {name} {target}"
        same = alone == by_function.get(name, [])
        assert same, f"{where}: the decisions differ"
        assert code_of(its_assembly, name) == code_of(assembly, name), where
        defined = set(re.findall(r"^\s*\.type\s+([\w.]+),[@%]function", its_assembly))
        assert defined <= {name}
        compared["static"] += name in static
        compared["calls static"] += name in callers
        compared["decisions"] += len(alone)
    return compared


def kernel(name: str, target: str, level: str = "O2") -> Program:
    source = load_programs(f"kernels/{name}", target=target, level=level)
    return source.named(f"kernels/{name}")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("env_id", IDS)
def test_a_function_alone_is_what_it_is_in_the_module(
    service: LocalService, env_id: str, target: str
) -> None:
    compared: Counter[str] = Counter()
    for name in ("json", "vm", "lz"):
        program = kernel(name, target)
        compared += check_functions(service, program, TASKS[env_id], target, most=4)
    assert compared["static"] >= 2
    assert compared["calls static"] >= 2
    assert compared["decisions"] > 50


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_every_function_of_every_kernel(
    service: LocalService, name: str, env_id: str, target: str
) -> None:
    check_functions(service, kernel(name, target), TASKS[env_id], target)


@pytest.mark.parametrize("env_id", IDS)
def test_passes_over_all_functions_change_no_decision(
    service: LocalService, env_id: str
) -> None:
    """AArch64's outliner sees one function or all; merged globals are the module's."""
    task, pipeline, seen = TASKS[env_id], "default<Oz>", ""
    for name in ("lz", "regex", "hashes"):
        program = kernel(name, AARCH64, "Oz")
        found, assembly, _ = compiled(service, program, task, AARCH64, "", pipeline)
        seen += assembly
        for function in list(dict.fromkeys(each.function for each in found))[:3]:
            alone = compiled(service, program, task, AARCH64, function, pipeline)[0]
            assert alone == [each for each in found if each.function == function]
    assert "OUTLINED_FUNCTION_0:" in seen
    assert "_MergedGlobals" in seen


#: What refers to a function that is left out, each in a way of its own.
REFERENCES = ir(
    pressure("kept", 30, after="  call void @hidden(ptr %p)\n")
    + pressure("hidden", 30, "internal ")
    + pressure("resolved", 30, "available_externally ")
    + """
$folded = comdat any
@alias = alias void (ptr), ptr @hidden
@table = constant [2 x ptr] [ptr @hidden, ptr @kept]
@label = constant ptr blockaddress(@jumps, %there)
define linkonce_odr void @folded(ptr %p) comdat {
  store volatile i32 1, ptr %p
  ret void
}
define void @jumps(ptr %p) {
  indirectbr ptr %p, [label %there, label %here]
there:
  ret void
here:
  call void @folded(ptr %p)
  ret void
}
define hidden void @weak(ptr %p) personality ptr @kept {
  ret void
}
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }]
  [{ i32, ptr, ptr } { i32 65535, ptr @construct, ptr null }]
define internal void @construct() {
  ret void
}
@llvm.used = appending global [1 x ptr] [ptr @hidden], section "llvm.metadata"
""",
    "references",
)


def without(program: Program, line: str) -> Program:
    text = program.bitcode.decode()
    assert line in text
    return Program(program.name, text.replace(line, "").encode())


ALIAS = "@alias = alias void (ptr), ptr @hidden\n"


@pytest.mark.parametrize("env_id", IDS)
def test_functions_that_others_refer_to(service: LocalService, env_id: str) -> None:
    program = without(REFERENCES, ALIAS)
    compared = check_functions(service, program, TASKS[env_id], X86)
    assert compared["static"] >= 1
    assert compared["calls static"] >= 1
    assert compared["decisions"] > 50


@pytest.mark.parametrize("env_id", IDS)
def test_a_function_that_has_an_alias(service: LocalService, env_id: str) -> None:
    compared = check_functions(service, REFERENCES, TASKS[env_id], X86)
    assert compared["static"] >= 1
    assert compared["decisions"] > 50


#: Callees that return a global, or seem to. The code generator uses the result of a
#: call in the global's place, in the callees, too.
RETURNING = """
@a = internal global ptr null
@b = internal global ptr null
declare void @effect()
define LINKAGE ptr @first(i1 %c) {
  call void @effect()
  br i1 %c, label %x, label %y
x:
  ret ptr FIRST
y:
  ret ptr @a
}
"""
CHAIN = """
define internal ptr @second() {
  %p = call ptr @first(i1 true)
  ret ptr SECOND
}
"""
USES = """
  %r = call ptr @first(i1 false)
  %s = call ptr @second()
  store volatile ptr @a, ptr %r
  store volatile ptr @b, ptr %s
  %u = load volatile i64, ptr @a
  store volatile ptr @b, ptr @a
"""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("linkage", ["internal", "weak"])
def test_what_a_callee_returns(
    service: LocalService, target: str, linkage: str
) -> None:
    """It counts by what it is at the callee's place in the module."""
    codes = set()
    for first in ("@a", "@b"):
        for second in ("@a", "%p"):
            parts = [
                RETURNING.replace("FIRST", first).replace("LINKAGE", linkage),
                CHAIN.replace("SECOND", second),
                pressure("user", 40, after=USES),
            ]
            for _ in range(3):
                parts.append(parts.pop(0))
                program = ir("".join(parts), target=target)
                task, passes = TASKS[EVICTION], "globaldce"
                compared = check_functions(
                    service, program, task, target, pipeline=passes
                )
                assert compared["decisions"] > 5
            alone = compiled(service, program, task, target, "user", passes)
            codes.add(code_of(alone[1], "user"))
    assert len(codes) > 1
