# SPDX-License-Identifier: Apache-2.0
"""The score of an allocation: worked out by hand, and per function."""

import re
from contextlib import closing

import pytest
from support.regalloc import (
    AARCH64,
    EVICTION,
    TARGETS,
    TWO,
    X86,
    MakeEnv,
    by_features,
    ir,
    legal_at_random,
    opening,
    pressure,
)
from support.samples import fails
from support.toolchain import play, run

from mlcompiler_gym import LocalService, Program, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

COPY, LOAD, STORE, LOAD_STORE, CHEAP, EXPENSIVE = 0.2, 4.0, 1.0, 5.0, 0.2, 1.0

#: What each instruction of the functions below counts. LLVM counts no instruction of
#: AArch64 as rematerialised once it has a physical register.
X86_WEIGHTS = {
    "COPY": COPY,
    "MOV32rm": LOAD,
    "ADD32rm": LOAD,
    "IMUL32rm": LOAD,
    "MOV32mr": STORE,
    "MOV32mi": STORE,
    "ADD32mi": LOAD_STORE,
    "LOCK_ADD64mi8": LOAD_STORE,
    "MOV32r0": CHEAP,
    "MOV32ri": CHEAP,
    "MOVSDrm_alt": EXPENSIVE,
    **dict.fromkeys(
        [
            *("LEA64_32r", "ADD32rr", "INC32r", "CMP32rr", "IMUL32rr"),
            *("JCC_1", "JMP_1", "RET", "CALL64pcrel32", "INLINEASM"),
            *("ADJCALLSTACKDOWN64", "ADJCALLSTACKUP64"),
        ],
        0.0,
    ),
}
AARCH64_WEIGHTS = {
    "COPY": COPY,
    "LDRWui": LOAD,
    "STRWui": STORE,
    **dict.fromkeys(
        [
            *("ADDWri", "ADDWrr", "SUBSWrr", "MOVi32imm", "MADDWrrr"),
            *("Bcc", "B", "BL", "RET_ReallyLR"),
            *("ADJCALLSTACKDOWN", "ADJCALLSTACKUP"),
        ],
        0.0,
    ),
}
WEIGHTS = {X86: X86_WEIGHTS, AARCH64: AARCH64_WEIGHTS}

STRAIGHT = """
declare i32 @callee(i32, i32)
define i32 @straight(ptr %p) {
  %a = load volatile i32, ptr %p
  %b = add i32 %a, 5
  store volatile i32 %b, ptr %p
  %r = call i32 @callee(i32 %a, i32 %b)
  store volatile i32 7, ptr %p
  %s = add i32 %r, %a
  ret i32 %s
}
"""
LOOP = """
define i32 @loop(ptr %p, i32 %n) {
entry:
  br label %body
body:
  %i = phi i32 [ 0, %entry ], [ %j, %body ]
  %s = phi i32 [ 0, %entry ], [ %t, %body ]
  %v = load volatile i32, ptr %p
  %t = add i32 %s, %v
  store volatile i32 %t, ptr %p
  %j = add i32 %i, 1
  %c = icmp slt i32 %j, %n
  br i1 %c, label %body, label %done, !prof !0
done:
  ret i32 %t
}
!0 = !{!"branch_weights", i32 9, i32 1}
"""
IN_PLACE = """
define void @in_place(ptr %p, ptr %q) {
  %a = load i32, ptr %p
  %b = add i32 %a, 3
  store i32 %b, ptr %p
  call void asm sideeffect "incl ($0)", "r,~{memory}"(ptr %p)
  %o = atomicrmw add ptr %q, i64 5 seq_cst
  ret void
}
"""
CONSTANTS = """
declare void @takes(i32, ptr)
define double @constants(ptr %p, ptr %q) {
  call void @takes(i32 77, ptr %p)
  call void @takes(i32 78, ptr %q)
  ret double 3.25
}
"""

#: Text, target, frequency of each block relative to the entry, and the sum.
BY_HAND: list[tuple[str, str, list[float], float]] = [
    (STRAIGHT, X86, [1], 2 * COPY + LOAD + 2 * STORE),
    (STRAIGHT, AARCH64, [1], 2 * COPY + LOAD + 2 * STORE),
    # Goes round again nine times out of ten.
    (LOOP, X86, [1, 10, 1], 2 * CHEAP + 10 * (LOAD + STORE)),
    (LOOP, AARCH64, [1, 10, 1], 3 * COPY + 10 * (LOAD + STORE)),
    # What inline assembly does is not counted.
    (IN_PLACE, X86, [1], 2 * LOAD_STORE),
    (CONSTANTS, X86, [1], 3 * COPY + 2 * CHEAP + EXPENSIVE),
]


def machine_blocks(text: str, target: str) -> list[list[str]]:
    """Opcodes of each block after the allocation, as `llc` prints it."""
    flags = ("-relocation-model=pic", "-stop-after=virtregrewriter", "-o", "-")
    printed = run("llc-22", *flags, data=ir(text, target=target).bitcode).decode()
    [body] = re.findall(r"^body: +\|\n(.*?)^\.\.\.", printed, re.M | re.S)
    flag = r"(?:nofpexcept|early-clobber|frame-setup) "
    pattern = rf"^    (?:.* = )?(?:{flag})*([A-Z][A-Za-z0-9_]*)(?: |$)"
    return [re.findall(pattern, b, re.M) for b in body.split("\n  bb.")]


def measured(service: LocalService, program: Program) -> pb.Outcome:
    """What LLVM's own compile without an optimiser comes to."""
    request = pb.Open(pipeline="no-op-module", objectives=["regalloc_score"])
    with closing(service.open(request, program)) as session:
        return session.opened.state.outcome


@pytest.mark.parametrize(
    ("text", "target", "frequencies", "expected"),
    BY_HAND,
    ids=[f"{re.findall('define .*@(.*?)[(]', t)[0]}-{g}" for t, g, _, _ in BY_HAND],
)
def test_scores_worked_out_by_hand(
    service: LocalService,
    text: str,
    target: str,
    frequencies: list[float],
    expected: float,
) -> None:
    outcome = measured(service, ir(text, target=target))
    assert outcome.measurements[0].value == pytest.approx(expected, rel=1e-6)
    # And that it is these instructions that the sum was made of.
    blocks = machine_blocks(text, target)
    counted = sum(
        frequency * sum(WEIGHTS[target][opcode] for opcode in opcodes)
        for frequency, opcodes in zip(frequencies, blocks, strict=True)
    )
    assert counted == pytest.approx(expected)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("values", [20, 40, 60])
def test_scores_with_spills(service: LocalService, values: int, target: str) -> None:
    text = pressure("spilling", values)
    [opcodes] = machine_blocks(text, target)
    expected = sum(WEIGHTS[target][opcode] for opcode in opcodes)
    assert expected > values * (LOAD + STORE) or values == 20
    outcome = measured(service, ir(text, target=target))
    assert outcome.measurements[0].value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("task", ["", "regalloc_eviction", "regalloc_priority"])
def test_functions_sum_up_to_the_module(
    service: LocalService, task: str, target: str
) -> None:
    source = load_programs("kernels/json", target=target, level="O2")
    request = opening(task, pipeline="default<O2>", target_triple=target)
    request.objectives.append("text_size")
    with closing(service.open(request, source.named("kernels/json"))) as session:
        finished = list(session.opened.state.finished)
        state = session.opened.state
        answer = by_features(task)
        while state.HasField("features"):
            state = session.step(answer(state.features))
            finished += state.finished
        outcome, decisions = state.outcome, state.decisions
    score, text_size = outcome.measurements
    assert (score.objective, text_size.objective) == ("regalloc_score", "text_size")
    functions = {f.function: f.measurements for f in outcome.functions}
    assert len(functions) > 5
    assert {len(each) for each in functions.values()} == {1}
    total = sum(each[0].value for each in functions.values())
    assert score.value == pytest.approx(total, rel=1e-9)
    assert sum(each[0].value > 0 for each in functions.values()) > 5
    if task:
        # They were told as they came, each once.
        assert [f.function for f in finished] == list(functions)
        assert [f.measurements for f in finished] == list(functions.values())
        answered = [f.decisions for f in finished]
        assert answered == sorted(answered)
        assert 0 < answered[-1] <= decisions


def test_the_score_is_of_the_decisions_taken(make_env: MakeEnv) -> None:
    """In its one block, nothing but copies is lost on the way to assembly."""
    env = make_env(EVICTION, programs=ir(pressure("one", 30)), pipeline="no-op-module")
    scores = set()
    for seed in range(4):
        _, _, _, info = play(env, legal_at_random(env, seed))
        text = env.emit("assembly").decode()
        loads = len(re.findall(r"\t(?:mov|imul)l\t-?\d*\(%\w+\), %", text))
        stores = len(re.findall(r"\tmovl\t%\w+, -?\d*\(%\w+\)", text))
        assert loads > 30
        score = info["objective"]["regalloc_score"]
        copies = (score - LOAD * loads - STORE * stores) / COPY
        assert copies == pytest.approx(round(copies), abs=1e-6)
        assert 0 <= len(re.findall(r"\tmov[lq]\t%\w+, %\w+\n", text)) - 3 <= copies + 3
        scores.add(score)
    assert len(scores) > 1


def test_without_the_greedy_allocator_there_is_no_score(service: LocalService) -> None:
    request = opening("", pipeline="default<O2>", codegen_opt_level=0)
    with fails("FAILED_PRECONDITION", "regalloc_score", "codegen_opt_level"):
        service.open(request, TWO)
