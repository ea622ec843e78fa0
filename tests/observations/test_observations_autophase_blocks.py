# SPDX-License-Identifier: Apache-2.0
"""Autophase: what counts blocks, edges and functions, on small IR."""

from __future__ import annotations

import pytest
from support.observed import AUTOPHASE, DECLARATIONS, ONE_BLOCK, autophase_of, look

from mlcompiler_gym import LocalService, Program


def test_cases_of_a_switch_are_constants(service: LocalService) -> None:
    """And each is an edge, wherever it goes."""
    got = autophase_of(
        service,
        "  switch i32 %x, label %a [ i32 0, label %b\n i32 1, label %b ]\n"
        "a:\n  ret i32 %x\nb:\n  ret i32 %x",
    )
    assert got == {
        "onePred": 1,
        "twoPred": 1,
        "BBNoPhi": 3,
        "CriticalCount": 2,
        "NumEdges": 3,
        "const32Bit": 2,
        "numConstZeroes": 1,
        "numConstOnes": 1,
        "BlockLow": 3,
        "NumRetInst": 2,
        "TotalBlocks": 3,
        "TotalInsts": 3,
        "TotalFuncs": 1,
    }


def test_two_edges_to_one_block_are_two(service: LocalService) -> None:
    got = autophase_of(service, "  br i1 %c, label %a, label %a\na:\n  ret i32 %x")
    assert got == {
        "twoPred": 1,
        "twoSuccessor": 1,
        "BBNoPhi": 2,
        "BranchCount": 1,
        "CriticalCount": 2,
        "NumEdges": 2,
        "BlockLow": 2,
        "NumBrInst": 1,
        "NumRetInst": 1,
        "TotalBlocks": 2,
        "TotalInsts": 2,
        "TotalFuncs": 1,
    }


def test_a_loop_behind_a_diamond(service: LocalService) -> None:
    """Blocks by numbers of edges; the edge that leaves nothing else is critical."""
    body = """
  br i1 %c, label %left, label %join
left:
  br label %join
join:
  %a = phi i32 [ %x, %0 ], [ 3, %left ]
  br label %loop
loop:
  %i = phi i32 [ %a, %join ], [ %n, %loop ]
  %n = mul i32 %i, %i
  br i1 %c, label %loop, label %out
out:
  ret i32 %n
"""
    assert autophase_of(service, body) == {
        "BBNumArgsLo": 2,
        "onePred": 2,  # left, out
        "onePredOneSuc": 1,  # left
        "oneSuccessor": 2,  # left, join
        "twoPred": 2,  # join, loop
        "twoPredOneSuc": 1,  # join
        "twoEach": 1,  # loop
        "twoSuccessor": 2,  # entry, loop
        "BB03Phi": 2,
        "BBNoPhi": 3,
        "BeginPhi": 2,
        "BranchCount": 4,
        "CriticalCount": 2,  # entry to join, loop to itself
        "NumEdges": 6,
        "const32Bit": 1,
        "UncondBranches": 2,
        "BlockLow": 5,
        "NumBrInst": 4,
        "NumMulInst": 1,
        "NumPHIInst": 2,
        "NumRetInst": 1,
        "TotalBlocks": 5,
        "TotalInsts": 8,
        "TotalFuncs": 1,
        "ArgsPhi": 4,
    }


def test_one_pred_two_successors(service: LocalService) -> None:
    got = autophase_of(
        service,
        "  br label %a\na:\n  br i1 %c, label %b, label %d\n"
        "b:\n  ret i32 %x\nd:\n  ret i32 %x",
    )
    assert (got["onePred"], got["onePredTwoSuc"]) == (3, 1)
    assert "CriticalCount" not in got


@pytest.mark.parametrize("phis", [1, 2, 3, 4])
@pytest.mark.parametrize("edges", [1, 2, 3, 6])
def test_phis_of_a_block(service: LocalService, phis: int, edges: int) -> None:
    """Only the first of a block is at its beginning."""
    cases = "".join(f" i32 {n}, label %a" for n in range(edges - 1))
    incoming = ", ".join(["[ %x, %0 ]"] * edges)
    lines = "".join(f"  %p{n} = phi i32 {incoming}\n" for n in range(phis))
    got = autophase_of(
        service, f"  switch i32 %x, label %a [{cases} ]\na:\n{lines}  ret i32 %x"
    )
    assert got["NumPHIInst"] == phis
    assert got["BeginPhi"] == 1
    assert got["ArgsPhi"] == phis * edges
    assert got.get("BB03Phi", 0) == (phis <= 3)
    assert got.get("BBHiPhi", 0) == (phis > 3)
    assert got.get("BBNumArgsLo", 0) == (phis * edges <= 5)
    assert got.get("BBNumArgsHi", 0) == (phis * edges > 5)
    assert got["BBNoPhi"] == 1
    assert got.get("morePreds", 0) == (edges > 2)


@pytest.mark.parametrize(
    ("size", "feature"),
    [(14, "BlockLow"), (15, "BlockMid"), (500, "BlockMid"), (501, None)],
)
def test_sizes_of_blocks(service: LocalService, size: int, feature: str | None) -> None:
    got = autophase_of(service, "  fence seq_cst\n" * (size - 1) + "  ret i32 %x")
    assert {name for name in ("BlockLow", "BlockMid") if name in got} == {
        name for name in (feature,) if name
    }
    assert got["TotalInsts"] == size


def test_blocks_that_nothing_leads_to_are_autophase_of(service: LocalService) -> None:
    got = autophase_of(service, "  ret i32 %x\nlost:\n  br label %lost")
    assert got["TotalBlocks"] == got["TotalInsts"] == 2
    assert got["onePredOneSuc"] == 1


def test_functions_without_a_body_are_not_autophase_of(service: LocalService) -> None:
    """Here are seven of them."""
    assert DECLARATIONS.count("declare") == 7
    assert autophase_of(service, "  ret i32 %x")["TotalFuncs"] == 1


def test_rows_of_functions_and_loops(service: LocalService) -> None:
    text = """
declare void @outside()
define void @one() {
  ret void
}
define void @two(i1 %c) {
  br label %outer
outer:
  br label %inner
inner:
  call void @outside()
  br i1 %c, label %inner, label %latch
latch:
  br i1 %c, label %outer, label %out
out:
  ret void
}
"""
    session = look(service, Program("loops", text.encode()))
    functions = session.rows("autophase@function")
    loops = session.rows("autophase@loop")
    module = session.vector("autophase")
    session.close()
    assert list(functions) == ["one", "two"]
    assert functions["one"] == dict.fromkeys(AUTOPHASE, 0) | ONE_BLOCK | {
        "TotalInsts": 1
    }
    for name in AUTOPHASE:
        assert module[name] == functions["one"][name] + functions["two"][name]
    assert list(loops) == ["two:loop0:depth1", "two:loop1:depth2"]
    outer, inner = loops.values()
    assert {name: value for name, value in inner.items() if value} == {
        "twoPred": 1,
        "twoEach": 1,
        "twoSuccessor": 1,
        "BBNoPhi": 1,
        "BranchCount": 1,
        "CriticalCount": 1,
        "NumEdges": 2,
        "BlockLow": 1,
        "NumBrInst": 1,
        "NumCallInst": 1,
        "TotalBlocks": 1,
        "TotalInsts": 2,
        "TotalMemInst": 1,
    }
    assert (outer["TotalBlocks"], outer["TotalInsts"], outer["NumEdges"]) == (3, 4, 5)
    assert outer["TotalFuncs"] == 0
