# SPDX-License-Identifier: Apache-2.0
"""Graphs of small modules, node by node and edge by edge."""

from collections import Counter
from collections.abc import Iterator

import pytest
from support.graphs import CALL, CONTROL, DATA, OpenUnchanged, edges_of, observe, opened

from mlcompiler_gym import LocalService


@pytest.fixture
def unchanged(service: LocalService) -> Iterator[OpenUnchanged]:
    with opened(service) as begin:
        yield begin


# Opcodes of llvm/IR/Instruction.def and types of llvm/IR/Type.h.
RET, BR, ADD, ICMP, PHI, CALL_OP = 1, 2, 13, 54, 56, 57
VOID, INTEGER, POINTER = 7, 12, 14
OUTSIDE = [0, 0, VOID, 0, 1, -1, -1]

BRANCH = """
declare void @out(i32)
define i32 @f(i32 %a, i32 %unused) {
entry:
  %c = icmp sgt i32 %a, 2
  br i1 %c, label %then, label %end
then:
  %t = add i32 %a, 2
  call void @out(i32 %t)
  br label %end
end:
  %p = phi i32 [ 7, %entry ], [ %t, %then ]
  ret i32 %p
}
"""


def test_programl_of_a_module_written_out(unchanged: OpenUnchanged) -> None:
    graph = observe(unchanged(BRANCH))
    assert graph.names == []
    assert graph.nodes.tolist() == [
        OUTSIDE,
        [0, 0, VOID, 0, 1, 0, -1],  # 1: out
        [0, ICMP, INTEGER, 1, 1, 1, 0],  # 2
        [0, BR, VOID, 0, 1, 1, 0],  # 3
        [0, ADD, INTEGER, 32, 1, 1, 1],  # 4
        [0, CALL_OP, VOID, 0, 1, 1, 1],  # 5
        [0, BR, VOID, 0, 1, 1, 1],  # 6
        [0, PHI, INTEGER, 32, 1, 1, 2],  # 7
        [0, RET, VOID, 0, 1, 1, 2],  # 8
        [1, 0, INTEGER, 32, 1, 1, -1],  # 9: %a; %unused has no use, and no node
        [1, 0, INTEGER, 1, 1, 1, 0],  # 10: %c
        [1, 0, INTEGER, 32, 1, 1, 1],  # 11: %t
        [1, 0, INTEGER, 32, 1, 1, 2],  # 12: %p
        [2, 0, INTEGER, 32, 1, -1, -1],  # 13: 2, twice used
        [2, 0, INTEGER, 32, 1, -1, -1],  # 14: 7
    ]
    control = [(0, 2, 3), (0, 3, 4), (1, 3, 7), (0, 4, 5), (0, 5, 6), (0, 6, 7)]
    assert edges_of(graph, CONTROL) == [*control, (0, 7, 8)]
    assert Counter(edges_of(graph, DATA)) == Counter(
        [
            *[(0, 9, 2), (1, 13, 2), (0, 2, 10), (0, 10, 3)],
            *[(0, 9, 4), (1, 13, 4), (0, 4, 11), (0, 11, 5)],
            *[(0, 14, 7), (1, 11, 7), (0, 7, 12), (0, 12, 8)],
        ]
    )
    assert edges_of(graph, CALL) == [
        *[(0, 0, 1), (0, 1, 0), (0, 0, 2), (0, 8, 0)],
        *[(0, 5, 1), (0, 1, 5)],
    ]


def test_call_graph_of_a_module_written_out(unchanged: OpenUnchanged) -> None:
    text = """
    declare void @out(i32)
    declare i32 @llvm.abs.i32(i32, i1)
    define internal i32 @leaf(i32 %x) {
      %r = call i32 @llvm.abs.i32(i32 %x, i1 true)
      ret i32 %r
    }
    define i32 @top(i32 %x, ptr %p) {
      %a = call i32 @leaf(i32 %x)
      call void %p()
      %b = call i32 @leaf(i32 %a)
      br label %next
    next:
      call void asm sideeffect "nop", ""()
      ret i32 %b
    }
    define void @0() {
      ret void
    }
    """
    graph = observe(unchanged(text), "call_graph")
    names = ["out", "llvm.abs.i32", "leaf", "top", "@0"]
    assert graph.names == [*names, "<external caller>", "<unknown callee>"]
    assert graph.nodes.tolist() == [
        # Kind, instructions, blocks, arguments, linkage, uses.
        [1, 0, 0, 1, 0, 0],
        [2, 0, 0, 2, 0, 1],
        [0, 2, 1, 1, 7, 2],
        [0, 6, 2, 2, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [3, 0, 0, 0, 0, 0],
        [3, 0, 0, 0, 0, 0],
    ]
    calls = zip(graph.edge_links.tolist(), graph.edges.ravel().tolist(), strict=True)
    assert sorted((source, target, n) for (source, target), n in calls) == [
        *[(0, 6, 1), (2, 1, 1), (3, 2, 2), (3, 6, 2)],
        *[(5, 0, 1), (5, 1, 1), (5, 3, 1), (5, 4, 1)],
    ]


def test_a_case_stands_where_its_successor_does(unchanged: OpenUnchanged) -> None:
    graph = observe(
        unchanged("""
    define i8 @f(i32 %x) {
      switch i32 %x, label %end [
        i32 5, label %one
        i32 6, label %one
        i32 7, label %end
      ]
    one:
      br label %end
    end:
      ret i8 0
    }
    """)
    )
    # 1 switch, 2 br, 3 ret, 4 %x, then 5, 6, 7 and the i8.
    assert [(p, t) for p, s, t in edges_of(graph, CONTROL) if s == 1] == [
        *[(0, 3), (1, 2), (2, 2), (3, 3)]
    ]
    data = [(p, s) for p, s, t in edges_of(graph, DATA) if t == 1]
    assert data == [(0, 4), (1, 5), (2, 6), (3, 7)]
    assert graph.nodes[5:, 3].tolist() == [32, 32, 32, 8]


def test_invokes_are_calls_with_two_successors(unchanged: OpenUnchanged) -> None:
    graph = observe(
        unchanged("""
    declare i32 @personality(...)
    define void @callee() {
      ret void
    }
    define void @caller() personality ptr @personality {
      invoke void @callee() to label %fine unwind label %bad
    fine:
      ret void
    bad:
      %l = landingpad { ptr, i32 } cleanup
      resume { ptr, i32 } %l
    }
    """)
    )
    # 1 personality, 2 callee's ret, 3 invoke, 4 ret, 5 landingpad, 6 resume.
    assert edges_of(graph, CONTROL) == [(0, 3, 4), (1, 3, 5), (0, 5, 6)]
    assert edges_of(graph, CALL)[-2:] == [(0, 3, 2), (0, 2, 3)]
    # Control leaves by unwinding, too.
    assert {(0, 4, 0), (0, 6, 0)} <= set(edges_of(graph, CALL))


def test_operands_that_are_constants(unchanged: OpenUnchanged) -> None:
    graph = observe(
        unchanged("""
    @g = global [4 x i32] zeroinitializer
    @alias = alias void (ptr), ptr @f
    define void @f(ptr %p) {
      store i32 1, ptr @g
      store ptr @f, ptr getelementptr (i8, ptr @g, i64 4)
      store <4 x float> zeroinitializer, ptr @g
      store ptr blockaddress(@f, %end), ptr %p
      call void @alias(ptr poison)
      call void %p(ptr poison)
      br label %end
    end:
      musttail call void @f(ptr %p)
      ret void
    }
    """)
    )
    constants = graph.nodes[graph.nodes[:, 0] == 2]
    assert constants[:, 2:5].tolist() == [
        [INTEGER, 32, 1],
        [POINTER, 0, 1],  # @g
        [POINTER, 0, 1],  # the address inside, one node
        [2, 32, 4],  # floats
        [POINTER, 0, 1],  # blockaddress
        [POINTER, 0, 1],  # poison
        [POINTER, 0, 1],  # @alias
    ]
    data = edges_of(graph, DATA)
    # The function that is stored is no node; where it is stored to is.
    assert [(p, s) for p, s, t in data if t == 2] == [(1, 13)]
    # Calls by alias or pointer have no edge; the musttail call has.
    assert edges_of(graph, CALL)[2:] == [(0, 8, 1), (0, 9, 8)]


@pytest.mark.parametrize(
    ("text", "nodes"),
    [("", [OUTSIDE]), ("declare i32 @f()", [OUTSIDE, [0, 0, INTEGER, 32, 1, 0, -1]])],
    ids=["empty", "declaration"],
)
def test_modules_without_code(
    unchanged: OpenUnchanged, text: str, nodes: list[list[int]]
) -> None:
    session = unchanged(text)
    graph = observe(session)
    assert graph.nodes.tolist() == nodes
    assert graph.edges.shape == (2 * len(nodes) - 2, 2)
    calls = observe(session, "call_graph")
    assert calls.names[-2:] == ["<external caller>", "<unknown callee>"]
    assert calls.edges.shape == (2 * len(nodes) - 2, 1)
    assert session.observe("bitcode")["bitcode"] == session.emit("bitcode")
