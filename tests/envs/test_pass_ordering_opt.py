# SPDX-License-Identifier: Apache-2.0
"""Pass ordering gives what `opt` gives with the same passes, to the byte."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pass_ordering import (
    SETS,
    MakeOrdering,
    orderings,
    run_commandline,
    same,
    take,
    text,
)
from support.strategies import call_graphs, examples
from support.toolchain import run

from mlcompiler_gym import LocalService, Program

numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)


@pytest.fixture
def make_ordering(service: LocalService) -> Iterator[MakeOrdering]:
    """``make_ordering(actions=…)`` on a service of the test's own."""
    with orderings(service) as make:
        yield make


@pytest.mark.parametrize("actions", SETS)
@given(chosen=numbers)
@examples(12)
def test_opt_gives_the_same_bitcode(
    make_ordering: MakeOrdering,
    tmp_path: Path,
    actions: str,
    chosen: list[int],
) -> None:
    env = make_ordering(actions=actions)
    _, info = take(env, [number % len(env.action_names) for number in chosen])
    if "error" not in info:
        assert same(run_commandline(env, tmp_path), env.emit("bitcode"))


@pytest.mark.slow
@pytest.mark.parametrize("actions", SETS)
@given(
    chosen=numbers,
    program=st.sampled_from(["kernels/regex", "kernels/json", "loops/split_chain"])
    | call_graphs(),
)
@examples(40)
def test_opt_gives_the_same_bitcode_of_larger_programs(
    make_ordering: MakeOrdering,
    tmp_path: Path,
    actions: str,
    chosen: list[int],
    program: str | Program,
) -> None:
    env = make_ordering(actions=actions, programs=program)
    _, info = take(env, [number % len(env.action_names) for number in chosen])
    if "error" not in info:
        assert same(run_commandline(env, tmp_path), env.emit("bitcode"))


def test_opt_gives_the_same_bitcode_for_another_processor(
    make_ordering: MakeOrdering, tmp_path: Path
) -> None:
    vectorize = ["mem2reg", "loop-rotate", "instcombine<no-verify-fixpoint>"]
    vectorize += ["inline", "simplifycfg", "loop-vectorize"]
    found = set()
    for cpu in ("x86-64", "x86-64-v4"):
        env = make_ordering(actions=vectorize, cpu=cpu)
        take(env, [0, 3, 2, 4, 1, 2, 5])
        assert same(run_commandline(env, tmp_path), env.emit("bitcode"))
        found.add(env.emit("bitcode"))
    assert len(found) == 2


def test_actions_of_ones_own(make_ordering: MakeOrdering, tmp_path: Path) -> None:
    # With and without the levels spelled out, several passes, parameters.
    own = [
        "mem2reg,instsimplify",
        "function(loop(loop-rotate),sroa<modify-cfg>)",
        "default<Os>",
        "cgscc(inline<only-mandatory>),globaldce",
        "licm",
    ]
    for actions in (own, "\n".join(own)):
        env = make_ordering(actions=actions)
        assert env.action_names == own
        take(env, [0, 1, 3, 4, 2])
        assert same(run_commandline(env, tmp_path), env.emit("bitcode"))


def generate(bitcode: bytes) -> bytes:
    """What `llc` makes of a module that says it is position-independent."""
    return run(
        "llc-22", "-relocation-model=pic", "-filetype=obj", "-o", "-", data=bitcode
    )


#: On kernels/sheet, sccp changes nothing but the order of uses, and the object with it.
REORDERING = ["scc-oz-module-inliner", "function-attrs", "indvars", "sccp"]


@pytest.mark.parametrize("between", ["nothing", "assembly", "mca_cycles", "a copy"])
def test_code_is_of_the_latest_order_of_uses(
    make_ordering: MakeOrdering, between: str
) -> None:
    env = make_ordering(
        actions=REORDERING, programs="kernels/sheet", objective="text_size"
    )
    env.reset()
    for action in range(4):
        before = env.emit("bitcode"), env.emit("object")
        env.step(action)
        if between == "assembly":
            env.emit("assembly")
        elif between == "mca_cycles":
            env.measure("mca_cycles")
        elif between == "a copy":
            twin = env.fork()
            assert twin.emit("object") == generate(env.emit("bitcode"))
            twin.close()
        bitcode, code = env.emit("bitcode"), env.emit("object")
        assert code == generate(bitcode)
    # The case that this is about: LLVM prints both modules alike.
    assert before[0] != bitcode
    assert run("llvm-dis-22", "-o", "-", data=before[0]) == text(env)
    assert before[1] != code


@given(chosen=numbers)
@examples(8)
def test_llc_gives_the_same_object_after_each_step(
    make_ordering: MakeOrdering, chosen: list[int]
) -> None:
    env = make_ordering(actions="llvm22", objective="text_size")
    env.reset()
    for number in chosen:
        _, _, _, truncated, _ = env.step(number % len(env.action_names))
        if truncated:
            break
        assert env.emit("object") == generate(env.emit("bitcode"))
