# SPDX-License-Identifier: Apache-2.0
"""Which loops can be split where: dependences with known answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.regalloc import MakeEnv

HEAD = """
#include <stdint.h>
static int32_t a[4096], b[4096], c[4096], d[4096], x[4096];
int32_t *arrays[] = {a, b, c, d, x};
"""


@dataclass
class Split:
    """What a walk that always distributes has seen of one loop.

    Attributes:
        report: What the observation ``loops`` says of it.
        masks: Whether distributing was legal, decision by decision.
        decision: The first decision as the observation has it.
    """

    report: dict[str, Any]
    masks: list[bool]
    decision: dict[str, Any]


Walk = Callable[[str], Split]


@pytest.fixture
def walk(make_env: MakeEnv, tmp_path: Path) -> Walk:
    """``walk("function's source")`` distributes all it may in the one loop."""

    def split(source: str) -> Split:
        file = tmp_path / "loop.c"
        file.write_text(HEAD + source)
        env = make_env(
            "mlcompiler/LoopDistribution-v0",
            programs=str(file),
            objective="ir_instructions",
        )
        _, info = env.reset()
        masks: list[bool] = []
        decision: dict[str, Any] = {}
        done = bool(info.get("no_decision"))
        while not done:
            seen = json.loads(env.observe("decision")["decision"])
            decision = decision or seen
            legal = env.action_masks()
            assert legal[0]
            assert np.array_equal(legal, info["action_mask"])
            assert legal[1] == seen["may_distribute"]
            masks.append(bool(legal[1]))
            _, _, terminated, truncated, info = env.step(int(legal[1]))
            assert not truncated, info
            done = terminated
        (report,) = json.loads(env.observe("loops")["loops"])
        return Split(report, masks, decision)

    return split


def loop(body: str, arguments: str = "int64_t n", start: int = 8) -> str:
    return (
        f"void f({arguments}) {{\n"
        f"  for (int64_t i = {start}; i < n; i++) {{ {body} }}\n}}\n"
    )


def test_forward_dependence(walk: Walk) -> None:
    split = walk(loop("a[i] = b[i] * x[i]; c[i] = a[i] + d[i];"))
    assert split.masks == [True]
    assert split.report["groups"] == [0, 1]
    # What the second loop needs of the first it loads, as the source does.
    assert split.report["reloads"] == 1


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_forward_dependence_on_earlier_iterations(walk: Walk, distance: int) -> None:
    split = walk(loop(f"a[i] = b[i] * x[i]; c[i] = a[i - {distance}] + d[i];"))
    assert split.masks == [True]
    assert split.report["groups"] == [0, 1]


@pytest.mark.parametrize("distance", [1, 3])
def test_what_reads_ahead_goes_first(walk: Walk, distance: int) -> None:
    split = walk(loop(f"a[i] = b[i] + 1; c[i] = a[i + {distance}] * d[i];"))
    # Behind the store it would find what was overwritten, so splitting is legal
    # in this order only.
    assert split.masks == [True]
    assert split.report["reloads"] == 0


def test_a_cycle_through_memory_is_one_node(walk: Walk) -> None:
    split = walk(loop("a[i] = c[i - 4] + x[i]; c[i] = a[i - 4] * 3;"))
    assert split.report["skipped"] == "only one node"
    assert split.report["nodes"] == 1


def test_what_hangs_on_a_cycle_is_apart(walk: Walk) -> None:
    split = walk(loop("a[i] = a[i - 4] * 3 + x[i]; c[i] = b[i] + d[i];"))
    assert split.masks == [True]


def test_what_feeds_back_goes_before_what_does_not(walk: Walk) -> None:
    split = walk(loop("a[i] = c[i - 4] + x[i]; c[i] = a[i] * 3;"))
    assert split.masks == [True]
    assert split.decision["edges"] == [[0, 1]]


SWAP = "int32_t t = a[i]; a[i] = b[i]; b[i] = t;"


def test_a_swap_cannot_be_split(walk: Walk) -> None:
    split = walk(loop(SWAP))
    assert split.masks == [False]
    assert split.report["groups"] == [0, 0]


@pytest.mark.parametrize("length", ["8 + 300", "(m < 308 ? m : 308)"])
def test_a_short_swap_goes_through_an_array(walk: Walk, length: str) -> None:
    split = walk(
        f"void f(int64_t m) {{ int64_t n = {length};"
        f" for (int64_t i = 8; i < n; i++) {{ {SWAP} }} }}"
    )
    assert split.masks == [True]
    assert split.report["groups"] == [0, 1]
    assert split.report["arrays"] == 1


def test_a_long_swap_does_not(walk: Walk) -> None:
    split = walk(f"void f(void) {{ for (int i = 0; i < 4096; i++) {{ {SWAP} }} }}")
    assert split.masks == [False]
    assert split.report["arrays"] == 0


def test_arrays_take_no_more_than_there_is_room_for(walk: Walk) -> None:
    # Each rotation of three takes two arrays of 8000 bytes if all is apart.
    swaps = "int32_t t = a[i]; a[i] = b[i]; b[i] = t; t = c[i]; c[i] = d[i]; d[i] = t;"
    more = "t = x[i]; x[i] = x[i + 2000]; x[i + 2000] = t;"
    split = walk(
        f"void f(void) {{ for (int i = 0; i < 2000; i++) {{ {swaps}{more} }} }}"
    )
    assert split.report["arrays"] == 2
    assert not all(split.masks)


def test_what_an_array_cannot_bring_ahead(walk: Walk) -> None:
    # What is loaded is stored in the loop that would have to come before.
    split = walk(
        "void f(void) { for (int i = 8; i < 300; i++) {"
        " a[i] = b[i] * 3; c[i] = a[i - 1]; b[i + 1] = c[i] + a[i]; } }"
    )
    assert split.report["nodes"] == 1 or split.report["arrays"] == 0


def test_a_reduction_beside_a_store(walk: Walk) -> None:
    split = walk(
        "int32_t f(int64_t n) { int32_t s = 0;"
        " for (int64_t i = 0; i < n; i++) { s += a[i]; b[i] = c[i] * 3; }"
        " return s; }"
    )
    assert split.masks == [True]


def test_what_no_store_needs_is_computed_for_later_uses(walk: Walk) -> None:
    # The value of the last iteration: a store may overwrite what it is loaded from,
    # so that it stays with that, but does not need it.
    split = walk(
        "int32_t f(int64_t n) { int32_t u = 0;"
        " for (int64_t i = 0; i < n; i++) {"
        " u = a[x[i] & 63]; a[i + 2] = b[i]; c[i] = d[i] * 3; }"
        " return u; }"
    )
    assert split.report["nodes"] == 2
    assert split.masks == [True]


def test_two_reductions(walk: Walk) -> None:
    split = walk(
        "int32_t f(int64_t n) { int32_t s = 0, t = 1;"
        " for (int64_t i = 0; i < n; i++) { s += a[i]; t *= b[i]; }"
        " return s ^ t; }"
    )
    assert split.masks == [True]


def test_a_running_sum_is_loaded_back(walk: Walk) -> None:
    split = walk(
        "void f(int64_t n) { int32_t s = 0;"
        " for (int64_t i = 0; i < n; i++) { s += a[i]; b[i] = s; c[i] = s * x[i]; } }"
    )
    assert split.masks == [True]
    assert split.report["reloads"] == 1


POINTERS = "int32_t *{0}p, int32_t *{0}q, int32_t *{0}r, int64_t n"


def test_pointers_that_may_alias_are_checked(walk: Walk) -> None:
    split = walk(loop("p[i] = r[i] + 1; q[i] = q[i] * 3;", POINTERS.format("")))
    assert split.masks == [True]
    assert split.report["checks"] > 0


def test_restrict_pointers_are_not(walk: Walk) -> None:
    split = walk(
        loop("p[i] = r[i] + 1; q[i] = q[i] * 3;", POINTERS.format("restrict "))
    )
    assert split.masks == [True]
    assert split.report["checks"] == 0


def test_pointers_that_cannot_be_checked_stay_together(walk: Walk) -> None:
    split = walk(loop("p[r[i]] = 1; q[i] = q[i] * 3;", POINTERS.format("")))
    assert split.report["skipped"] == "only one node"


def test_arrays_far_apart_in_one_object_are_checked(walk: Walk) -> None:
    split = walk(
        loop("x[i] = x[i + 1024] + 1; x[i + 2048] = x[i + 3072] * 3;", start=0)
    )
    assert split.masks == [True]
    assert split.report["checks"] > 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("void g(int); " + loop("g(a[i]); b[i] = 1;"), "a call with effects: g"),
        ("volatile int v; " + loop("v = a[i]; b[i] = 1;"), "volatile"),
        (loop("if (a[i] == 7) break; b[i] = 1; c[i] = 2;"), "more than one exit"),
        (
            "void f(int32_t *p) { do { p[0] = p[1] + 3; p[2] = 1; p++; } while (*p); }",
            "memory that the loop writes",
        ),
    ],
)
def test_what_cannot_be_split_says_why(walk: Walk, source: str, reason: str) -> None:
    split = walk(source)
    assert split.masks == []
    assert reason in split.report["skipped"]
