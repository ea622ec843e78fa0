# SPDX-License-Identifier: Apache-2.0
"""Autophase: what counts instructions, on IR small enough to count by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.observed import AUTOPHASE, ONE_BLOCK, autophase_of, look

from mlcompiler_gym import LocalService, Program


def test_the_columns_are_the_56_in_order(service: LocalService) -> None:
    session = look(service, Program("none", b"@g = global i32 0\n"))
    counts = session.vector("autophase")
    session.close()
    assert list(counts) == AUTOPHASE
    assert set(counts.values()) == {0}


def test_the_page_has_them_in_order() -> None:
    page = Path(__file__).parents[2] / "docs" / "observations.md"
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", page.read_text(), re.MULTILINE)
    assert rows == [(str(index), name) for index, name in enumerate(AUTOPHASE)]


def test_the_least_function(service: LocalService) -> None:
    assert autophase_of(service, "  ret i32 %x") == ONE_BLOCK | {"TotalInsts": 1}


@pytest.mark.parametrize(
    ("opcode", "feature"),
    [
        ("ashr", "NumAShrInst"),
        ("add", "NumAddInst"),
        ("and", "NumAndInst"),
        ("lshr", "NumLShrInst"),
        ("mul", "NumMulInst"),
        ("or", "NumOrInst"),
        ("shl", "NumShlInst"),
        ("sub", "NumSubInst"),
        ("xor", "NumXorInst"),
        ("sdiv", None),
    ],
)
def test_binary_operations(
    service: LocalService, opcode: str, feature: str | None
) -> None:
    got = autophase_of(service, f"  %y = {opcode} i32 %x, %x\n  ret i32 %y")
    assert got == ONE_BLOCK | {"TotalInsts": 2} | ({feature: 1} if feature else {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%y = alloca i8, i64 %w", {"NumAllocaInst": 1, "TotalMemInst": 1}),
        ("%y = load i8, ptr %p", {"NumLoadInst": 1, "TotalMemInst": 1}),
        ("%y = bitcast i64 %w to double", {"NumBitCastInst": 1}),
        ("%y = sext i32 %x to i64", {"NumSExtInst": 1}),
        ("%y = zext i32 %x to i64", {"NumZExtInst": 1}),
        ("%y = trunc i32 %x to i8", {"NumTruncInst": 1}),
        ("%y = ptrtoint ptr %p to i64", {}),
        ("%y = inttoptr i64 %w to ptr", {}),
        ("%y = sitofp i32 %x to float", {}),
        ("%y = fneg float undef", {}),
        ("%y = freeze i32 %x", {}),
        ("%y = extractvalue {i32, i32} undef, 0", {}),
        ("%y = va_arg ptr %p, i32", {}),
    ],
)
def test_what_has_one_operand_is_unary(
    service: LocalService, line: str, expected: dict[str, int]
) -> None:
    """LLVM's UnaryInstruction has every cast, and also alloca and load."""
    got = autophase_of(service, f"  {line}\n  ret i32 %x")
    assert got == ONE_BLOCK | {"TotalInsts": 2, "testUnary": 1} | expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("store i32 %x, ptr %p", {"NumStoreInst": 1, "TotalMemInst": 1}),
        (
            "%y = getelementptr i8, ptr %p, i64 %w",
            {"NumGetElementPtrInst": 1, "TotalMemInst": 1},
        ),
        ("%y = icmp eq i32 %x, %x", {"NumICmpInst": 1}),
        ("%y = select i1 %c, i32 %x, i32 %x", {"NumSelectInst": 1}),
        ("fence seq_cst", {}),
        ("%y = atomicrmw add ptr %p, i32 %x seq_cst", {}),
        ("%y = cmpxchg ptr %p, i32 %x, i32 %x seq_cst seq_cst", {}),
    ],
)
def test_other_instructions(
    service: LocalService, line: str, expected: dict[str, int]
) -> None:
    got = autophase_of(service, f"  {line}\n  ret i32 %x")
    assert got == ONE_BLOCK | {"TotalInsts": 2} | expected


@pytest.mark.parametrize(
    ("line", "returns_int"),
    [
        ("call i32 @int()", 1),
        ("call i1 @bit()", 1),
        ("call void @nothing()", 0),
        ("call ptr @pointer()", 0),
        ("call <2 x i32> @vector()", 0),
        # What is called is not known, so it does not matter what it returns.
        ("call i32 %p()", 0),
        ("call i64 @llvm.cttz.i64(i64 %w, i1 false)", 1),
    ],
)
def test_calls_are_memory_instructions(
    service: LocalService, line: str, returns_int: int
) -> None:
    got = autophase_of(service, f"  {line}\n  ret i32 %x")
    assert got.pop("returnInt", 0) == returns_int
    assert got.pop("numConstZeroes", 0) == ("false" in line)
    assert got == ONE_BLOCK | {"TotalInsts": 2, "NumCallInst": 1, "TotalMemInst": 1}


def test_an_invoke_is_a_memory_instruction_and_no_call(service: LocalService) -> None:
    got = autophase_of(
        service,
        "  %r = invoke i32 @int() to label %ok unwind label %bad\n"
        "ok:\n  ret i32 %r\n"
        "bad:\n  %l = landingpad {ptr, i32} cleanup\n  resume {ptr, i32} %l",
    )
    assert got == {
        "onePred": 2,
        "twoSuccessor": 1,
        "BBNoPhi": 3,
        "NumEdges": 2,
        "BlockLow": 3,
        "NumRetInst": 1,
        "TotalBlocks": 3,
        "TotalInsts": 4,
        "TotalMemInst": 1,
        "TotalFuncs": 1,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("store i32 7, ptr %p", {"const32Bit": 1}),
        ("store i64 7, ptr %p", {"const64Bit": 1}),
        ("store i16 7, ptr %p", {}),
        ("store i16 0, ptr %p", {"numConstZeroes": 1}),
        ("store i32 1, ptr %p", {"const32Bit": 1, "numConstOnes": 1}),
        ("store i1 true, ptr %p", {"numConstOnes": 1}),
        ("store i128 1, ptr %p", {"numConstOnes": 1}),
        # No ConstantInt.
        ("store float 0.0, ptr %p", {}),
        ("store ptr null, ptr %p", {}),
        ("store <2 x i32> <i32 0, i32 1>, ptr %p", {}),
        ("store <2 x i32> <i32 1, i32 1>, ptr %p", {}),
        ("store i32 undef, ptr %p", {}),
    ],
)
def test_constants(service: LocalService, line: str, expected: dict[str, int]) -> None:
    got = autophase_of(service, f"  {line}\n  ret i32 %x")
    memory = {"TotalInsts": 2, "NumStoreInst": 1, "TotalMemInst": 1}
    assert got == ONE_BLOCK | memory | expected


def test_constants_that_are_not_written_out(service: LocalService) -> None:
    """How much an alloca reserves is an operand; where a GEP goes, too."""
    got = autophase_of(service, "  %a = alloca i8\n  ret i32 %x")
    assert got["const32Bit"] == got["numConstOnes"] == 1
    got = autophase_of(
        service, "  %a = getelementptr {i8, i8}, ptr %p, i64 0, i32 1\n  ret i32 %x"
    )
    assert (got["const64Bit"], got["const32Bit"]) == (1, 1)
    assert (got["numConstZeroes"], got["numConstOnes"]) == (1, 1)


@pytest.mark.parametrize(
    ("operands", "count"),
    [("%x, %x", 0), ("%x, 5", 1), ("5, %x", 1), ("5, 6", 1), ("%x, undef", 1)],
)
def test_binary_operations_with_a_constant(
    service: LocalService, operands: str, count: int
) -> None:
    got = autophase_of(service, f"  %y = sub i32 {operands}\n  ret i32 %y")
    assert got.get("binaryConstArg", 0) == count
    assert got.get("const32Bit", 0) == operands.count("5") + operands.count("6")
