# SPDX-License-Identifier: Apache-2.0
"""Names that are not UTF-8, in every message that carries names."""

from __future__ import annotations

import json

import pytest

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Session
from mlcompiler_gym.errors import InvalidRequestError
from mlcompiler_gym.testing.samples import ir_program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

LOOP = """
define i32 @"{outer}"(ptr %p, ptr %q, i64 %n) {{
entry:
  br label %l
l:
  %i = phi i64 [0, %entry], [%j, %l]
  %a = getelementptr i32, ptr %p, i64 %i
  %b = getelementptr i32, ptr %q, i64 %i
  %v = load i32, ptr %a
  %w = mul i32 %v, 3
  store i32 %w, ptr %b
  %j = add i64 %i, 1
  %c = getelementptr i32, ptr %p, i64 %j
  store i32 %v, ptr %c
  %e = icmp eq i64 %j, %n
  br i1 %e, label %x, label %l
x:
  %r = call i32 @"{inner}"(i32 %w)
  ret i32 %r
}}
define i32 @"{inner}"(i32 %x) {{
  %y = mul i32 %x, 7
  ret i32 %y
}}
"""
#: As LLVM IR writes them, and so as the protocol does.
OUTER, INNER = "bad\\ff\\feouter", "in\\c3\\28ner\\5cff"
INNER_TEXT = "in\\c3(ner\\5cff"
PROGRAM = ir_program(LOOP.format(outer=OUTER, inner=INNER))
FUNCTIONS = [OUTER, INNER_TEXT]


def opened(service: LocalService, **fields: object) -> Session:
    return service.open(pb.Open(**fields), PROGRAM)  # type: ignore[arg-type]


def test_functions_can_be_named_as_they_are_told(service: LocalService) -> None:
    session = opened(service, task="regalloc_priority", objectives=["regalloc_score"])
    state = session.opened.state
    seen, finished = [], []
    while True:
        finished += [each.function for each in state.finished]
        if state.HasField("outcome"):
            break
        seen.append(state.function)
        decision = json.loads(str(session.observe("decision")["decision"]))
        assert decision["function"] == state.function
        state = session.step(bytes(4))
    assert list(dict.fromkeys(seen)) == finished == FUNCTIONS
    assert [each.function for each in state.outcome.functions] == FUNCTIONS
    for name in FUNCTIONS:
        alone = opened(service, task="regalloc_priority", function=name)
        assert alone.opened.state.function == name


def test_rows_are_the_same_names(service: LocalService) -> None:
    session = opened(service, task="inlining")
    names = ["autophase@function", "call_graph", "mir2vec@function"]
    request = pb.Request(observe=pb.Observe(names=[*names, "autophase@loop"]))
    counts, graph, mir, loops = session.call(request).observe.observations
    assert list(counts.rows) == list(mir.rows) == FUNCTIONS
    assert list(graph.rows)[:2] == FUNCTIONS
    assert all(row.startswith(OUTER) for row in loops.rows)
    assert loops.rows
    decision = json.loads(str(session.observe("decision")["decision"]))
    assert (decision["caller"], decision["callee"]) == (OUTER, INNER_TEXT)
    session.step(bytes(8))
    [[label, _]] = json.loads(str(session.observe("decisions")["decisions"]))
    assert label == f"{INNER_TEXT} -> {OUTER}"


def test_loops_are_named_after_them(service: LocalService) -> None:
    session = opened(service, task="loop_distribution")
    [loop, *_] = json.loads(str(session.observe("loops")["loops"])) or [
        json.loads(str(session.observe("decision")["decision"]))
    ]
    assert loop["loop"].startswith(OUTER)


@pytest.mark.parametrize("name", ["bad\ufffd\ufffdouter", "bad\\ff", "bad\\", "\\6d"])
def test_what_is_no_name_is_refused_with_those_that_are(
    service: LocalService, name: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        opened(service, task="regalloc_priority", function=name)
    assert all(each in caught.value.message for each in FUNCTIONS)
