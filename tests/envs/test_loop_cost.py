# SPDX-License-Identifier: Apache-2.0
"""The static cost of loops, in exact small cases."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from support.regalloc import MakeEnv

Cost = Callable[[str], float]


@pytest.fixture
def cost(make_env: MakeEnv, tmp_path: Path) -> Cost:
    """``cost("textual IR")`` of a module as it stands."""
    made = 0

    def measure(text: str) -> float:
        nonlocal made
        made += 1
        file = tmp_path / f"{made}.ll"
        file.write_text(f'target triple = "x86_64-unknown-linux-gnu"\n{text}')
        env = make_env(
            "mlcompiler/LoopDistribution-v0",
            programs=str(file),
            objective="loop_cost",
            pipeline="verify",
        )
        env.reset()
        return env.measure()["loop_cost"]

    return measure


def loop(body: str, bound: str = "1024", before: str = "", step: int = 4) -> str:
    """A pointer %p that moves by ``step`` bytes in each of ``bound`` iterations."""
    return f"""
declare i8 @llvm.umin.i8(i8, i8)
declare i8 @llvm.umax.i8(i8, i8)
declare i16 @llvm.umin.i16(i16, i16)
declare i16 @llvm.umax.i16(i16, i16)
declare i32 @llvm.umin.i32(i32, i32)
declare i32 @llvm.umax.i32(i32, i32)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
define void @f(ptr %a, ptr %b, i8 %n8, i16 %n16, i32 %n32, i64 %n64) {{
entry:
{before}
  br label %l
l:
  %i = phi i64 [0, %entry], [%j, %l]
  %p = phi ptr [%a, %entry], [%q, %l]
{body}
  %q = getelementptr inbounds i8, ptr %p, i64 {step}
  %j = add nuw nsw i64 %i, 1
  %c = icmp ult i64 %j, {bound}
  br i1 %c, label %l, label %x
x:
  ret void
}}
"""


STORE = "  store i32 1, ptr %p"


@pytest.mark.parametrize(
    ("step", "lines"), [(1, 16), (-4, 64), (32, 512), (64, 1024), (256, 1024)]
)
def test_a_line_costs_8_cycles(cost: Cost, step: int, lines: int) -> None:
    # The instructions are the same.
    assert cost(loop(STORE, step=step)) - cost(loop(STORE, step=4)) == 8 * (lines - 64)


def test_an_address_that_stays_costs_one_line(cost: Cost) -> None:
    stays = STORE.replace("%p", "%b")
    assert cost(loop(STORE)) - cost(loop(stays)) == 8 * (64 - 1)


@pytest.mark.parametrize(("bytes_apart", "lines"), [(4, 64), (60, 64), (64, 128)])
def test_accesses_less_than_a_line_apart_count_once(
    cost: Cost, bytes_apart: int, lines: int
) -> None:
    def both(distance: int) -> str:
        far = f"  %r = getelementptr inbounds i8, ptr %p, i64 {distance}\n"
        return loop(f"{STORE}\n{far}  store i32 1, ptr %r")

    assert cost(both(bytes_apart)) - cost(both(4)) == 8 * (lines - 64)


def test_what_is_executed_as_often_costs_as_often(cost: Cost) -> None:
    # The latency of one iteration, which is LLVM's, times how many there are.
    once, twice, thrice = (cost(loop("", bound=n)) for n in ("100", "200", "300"))
    assert thrice - twice == twice - once > 0


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


def bounded(bits: int, function: str, most: int, shift: int) -> str:
    """As many iterations as the unsigned ``function`` of %n and ``most``, shifted."""
    wide = "%s" if bits == 64 else "%w"
    name = f"@llvm.{function}.i{bits}"
    before = (
        f"  %m = call i{bits} {name}(i{bits} %n{bits}, i{bits} {_signed(most, bits)})\n"
        f"  %s = lshr i{bits} %m, {shift}\n"
    )
    if bits < 64:
        before += f"  %w = zext i{bits} %s to i64\n"
    return loop(STORE, bound=wide, before=before)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_the_larger_of_a_large_number(cost: Cost, bits: int) -> None:
    # 64, 128 and 192 iterations, of which the last has the top bit.
    few, more, most = (
        cost(bounded(bits, "umax", part << (bits - 2), bits - 8)) for part in (1, 2, 3)
    )
    assert most - more == more - few


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_the_smaller_of_a_large_number(cost: Cost, bits: int) -> None:
    # 1024 either way.
    small, large = (
        cost(bounded(bits, "umin", part << (bits - 2), 3)) for part in (1, 3)
    )
    assert small == large
    # And not just what stands for all that is not known.
    assert large < cost(bounded(bits, "umin", 3 << (bits - 2), 2))


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_a_quotient_by_a_large_number(cost: Cost, bits: int) -> None:
    def divided(by: int) -> str:
        wide = "add i64 %m, 0" if bits == 64 else f"zext i{bits} %m to i64"
        before = (
            f"  %m = udiv i{bits} %n{bits}, {_signed(by, bits)}\n"
            f"  %w = {wide}\n  %s = add nuw nsw i64 %w, 5\n"
        )
        return loop(STORE, bound="%s", before=before)

    # It is 0, so there are 5 iterations.
    small, large = (cost(divided(part << (bits - 3))) for part in (3, 5))
    assert small == large < cost(loop(STORE, bound="10"))


#: Beyond what a double holds, all together.
DEPTH = 40


def test_deep_nests_cost_a_finite_number(make_env: MakeEnv, tmp_path: Path) -> None:
    costs = []
    for depth in (2, DEPTH):
        heads = "".join(
            f"for (unsigned i{n} = 0; i{n} < 4000000000u; i{n}++) "
            for n in range(depth)
        )
        source = tmp_path / f"nest{depth}.c"
        source.write_text(
            "void f(volatile int *p, int *restrict q) {\n"
            f"  {heads} {{ *p = 1; }}\n  q[0] = q[1];\n}}\n"
        )
        env = make_env(
            "mlcompiler/LoopDistribution-v0",
            programs=str(source),
            pipeline="default<O1>",
        )
        env.reset()
        costs.append(env.measure()["loop_cost"])
    assert all(math.isfinite(each) for each in costs)
    assert costs[1] > costs[0] > 4e9**2


def test_a_product_too_large_for_a_number_is_not_known(cost: Cost) -> None:
    def squared(times: int) -> str:
        before = "  %s0 = add i64 %n64, 0\n" + "".join(
            f"  %s{n + 1} = mul i64 %s{n}, %s{n}\n" for n in range(times)
        )
        less = f"  %d = sub i64 %s{times}, %n64\n  %z = mul i64 %d, %n64\n"
        return loop(STORE, bound="%z", before=before + less)

    assert math.isfinite(cost(squared(9)))


@pytest.mark.parametrize("value", ['!"yes"', "null", "!0", "double 1.0", "i1 1, i1 0"])
def test_malformed_metadata_costs_nothing(cost: Cost, value: str) -> None:
    def named(name: str) -> str:
        text = loop(STORE).replace("label %x\n", "label %x, !llvm.loop !0\n")
        return (
            f'{text}!0 = distinct !{{!0, !1}}\n!1 = !{{!"llvm.loop.{name}", {value}}}\n'
        )

    assert cost(named("isvectorized")) == cost(named("something.else"))
