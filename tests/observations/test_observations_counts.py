# SPDX-License-Identifier: Apache-2.0
"""Vectors of counts, against LLVM's tools and each other, in every task."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from support.observed import Look, Named, columns, look
from support.regalloc import IDS as REGALLOC_IDS
from support.regalloc import MakeEnv, environments
from support.samples import CALLS, fails
from support.strategies import call_graphs, examples
from support.toolchain import NAMES, SOME, run

from mlcompiler_gym import LocalService, Program, load_programs
from mlcompiler_gym.envs import CompilerEnv

COUNTS = ("autophase", "inst_count", "function_properties")
SCOPES = {
    "autophase": ["module", "function", "loop"],
    "inst_count": ["module", "function", "loop"],
    "function_properties": ["module", "function"],
}
PASS_ORDERING = "mlcompiler/PassOrdering-v0"
IDS = ["mlcompiler/Inlining-v0", *REGALLOC_IDS, PASS_ORDERING]

#: As they are, and as optimised code has other opcodes.
PIPELINES = ["verify", "default<O2>"]
PROGRAMS = [
    pytest.param(name, pipeline, marks=() if name in SOME[:3] else pytest.mark.slow)
    for name in NAMES
    for pipeline in PIPELINES
]

_MARKERS = {"tail", "musttail", "notail"}


def printed_opcodes(bitcode: bytes) -> dict[str, Counter[str]]:
    """Opcodes by function, out of the text of a module."""
    functions: dict[str, Counter[str]] = {}
    inside: Counter[str] | None = None
    for line in run("llvm-dis-22", "-o", "-", data=bitcode).decode().splitlines():
        if line.startswith("define "):
            name = re.search(r'@("[^"]+"|[\w.$-]+)\(', line)
            assert name is not None, line
            inside = functions[name[1].strip('"')] = Counter()
        elif line == "}":
            inside = None
        # Deeper are the cases of a switch and the like.
        elif inside is not None and re.match(r"  [^ \]]", line):
            words = re.sub(r"^  (%\S+ = )?", "", line).split()
            inside[words[words[0] in _MARKERS]] += 1
    return functions


def printed_properties(bitcode: bytes) -> dict[str, Named]:
    """What LLVM's own printer says of each function."""
    done = subprocess.run(
        [
            *("opt-22", "-passes=print<func-properties>", "-disable-output"),
            "-enable-detailed-function-properties",
        ],
        input=bitcode,
        capture_output=True,
        check=True,
        timeout=120,
    )
    functions = {}
    for part in done.stderr.decode().split("Printing analysis results of CFA")[1:]:
        name = re.match(r" for function '(.*)':\n", part)
        assert name is not None
        found = re.findall(r"^(\w+): (-?\d+)$", part, re.MULTILINE)
        functions[name[1]] = {field: int(value) for field, value in found}
    return functions


def total(rows: dict[str, Named]) -> Named:
    counts: Counter[str] = Counter()
    for row in rows.values():
        counts.update(row)
    return dict(counts)


def not_zero(row: Named) -> Named:
    return {name: value for name, value in row.items() if value}


@pytest.mark.parametrize(("name", "pipeline"), PROGRAMS)
def test_counts_are_those_of_llvm_s_tools(
    service: LocalService, name: str, pipeline: str
) -> None:
    [program] = load_programs(name, target="x86_64-linux-gnu")
    seen = look(service, program, pipeline)
    bitcode = seen.bitcode()

    opcodes = seen.rows("inst_count@function")
    printed = printed_opcodes(bitcode)
    assert list(opcodes) == list(printed)
    for function, row in opcodes.items():
        expected = {**printed[function], "total": printed[function].total()}
        assert not_zero(row) == expected, function
    assert seen.vector("inst_count") == total(opcodes)

    properties = seen.rows("function_properties@function")
    assert properties == printed_properties(bitcode)
    assert seen.vector("function_properties") == total(properties)

    autophase = seen.rows("autophase@function")
    assert seen.vector("autophase") == total(autophase)
    for function, row in autophase.items():
        check_against(row, opcodes[function], properties[function])
        assert row["TotalFuncs"] == 1
    check_loops(seen)
    seen.close()


def check_against(autophase: Named, opcodes: Named, properties: Named) -> None:
    """What Autophase counts that others count, too."""
    for name, value in autophase.items():
        opcode = re.fullmatch(r"Num(\w+)Inst", name)
        if opcode is not None:
            assert value == opcodes[opcode[1].lower()], name
    assert autophase["TotalInsts"] == opcodes["total"]
    assert autophase["BranchCount"] == opcodes["br"]
    assert autophase["testUnary"] >= opcodes["alloca"] + opcodes["load"]
    assert autophase["BB03Phi"] + autophase["BBHiPhi"] == autophase["BeginPhi"]
    with_phis = autophase["BBNumArgsLo"] + autophase["BBNumArgsHi"]
    assert with_phis == autophase["BeginPhi"]
    assert with_phis + autophase["BBNoPhi"] == autophase["TotalBlocks"]
    if autophase["TotalBlocks"] != properties["BasicBlockCount"]:
        return  # Blocks that nothing leads to.
    for mine, llvm in {
        "NumEdges": "ControlFlowEdgeCount",
        "CriticalCount": "CriticalEdgeCount",
        "oneSuccessor": "BasicBlocksWithSingleSuccessor",
        "twoSuccessor": "BasicBlocksWithTwoSuccessors",
        "onePred": "BasicBlocksWithSinglePredecessor",
        "twoPred": "BasicBlocksWithTwoPredecessors",
        "morePreds": "BasicBlocksWithMoreThanTwoPredecessors",
        "UncondBranches": "UnconditionalBranchCount",
        "TotalInsts": "TotalInstructionCount",
        "NumCallInst": "DirectCallCount",
    }.items():
        indirect = properties["IndirectCallCount"] if mine == "NumCallInst" else 0
        assert autophase[mine] == properties[llvm] + indirect, mine


def check_loops(seen: Look) -> None:
    autophase = seen.rows("autophase@loop")
    opcodes = seen.rows("inst_count@loop")
    assert list(autophase) == list(opcodes)
    functions = seen.rows("inst_count@function")
    for name, row in opcodes.items():
        assert autophase[name]["TotalInsts"] == row["total"] > 0
        whole = functions[name.rsplit(":", 2)[0]]
        assert all(value <= whole[opcode] for opcode, value in row.items())
    tops = sum(name.endswith(":depth1") for name in opcodes)
    assert tops == seen.vector("function_properties")["TopLevelLoopCount"]


def test_every_opcode_has_a_column(service: LocalService) -> None:
    """LLVM 22 has 66 that a module may hold."""
    names = columns(service, "inst_count")
    assert names[0] == "ret"
    assert names[-2:] == ["freeze", "total"]
    assert len(names) == 67


def test_every_property_has_a_column(service: LocalService) -> None:
    [printed] = printed_properties(b"define void @f() {\n  ret void\n}\n").values()
    assert sorted(columns(service, "function_properties")) == sorted(printed)


def test_scopes_are_described(service: LocalService) -> None:
    described = {spec.name: spec for spec in service.describe().observations}
    for name in COUNTS:
        assert list(described[name].scopes) == SCOPES[name]
        assert described[name].media == "tensors"
        assert not described[name].at_decision_only


def everything(env: CompilerEnv) -> dict[str, Any]:
    names = [
        name if scope == "module" else f"{name}@{scope}"
        for name in COUNTS
        for scope in SCOPES[name]
    ]
    return env.observe(*names)


def assert_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    for name, value in left.items():
        other = right[name]
        if "@" in name:
            assert value.names == other.names, name
            value, other = value.values, other.values
        np.testing.assert_array_equal(value, other, err_msg=name)


@pytest.fixture(scope="module")
def pass_ordering() -> Any:
    """One environment for many examples."""
    service = LocalService()
    with environments(service) as make:
        yield make(PASS_ORDERING, programs=CALLS, observations=COUNTS)
    service.close()


@examples(25)
@given(program=call_graphs(), data=st.data())
def test_what_is_kept_is_what_would_be_computed(
    pass_ordering: CompilerEnv, program: Program, data: st.DataObject
) -> None:
    """Rows of unchanged functions are not computed again, after whatever passes."""
    env = pass_ordering
    env.reset(options={"program": program})
    pick = st.integers(0, len(env.action_names) - 1)  # type: ignore[attr-defined]
    actions = data.draw(st.lists(pick, min_size=1, max_size=8))
    for action in actions:
        observation, _, _, truncated, _ = env.step(action)
        if truncated:
            return  # The pass is one that fails on this program.
        kept = everything(env)
        shown = np.concatenate([kept[name] for name in COUNTS])
        np.testing.assert_array_equal(observation, shown.astype(np.float32))
        text = env.observe("ir")["ir"].encode()
        again = look(env.setup.service, Program("again", text))
        computed = again.session.observe(*kept)
        again.close()
        assert_same(kept, computed)


def test_looking_does_not_change_what_later_passes_do(make_env: MakeEnv) -> None:
    """No analysis of the pipeline's is computed for an observation."""
    names = ["sroa", "early-cse", "loop-mssa(licm)", "gvn", "jump-threading"]
    modules = []
    for watched in (False, True):
        env = make_env(PASS_ORDERING, programs="kernels/lz", actions=names)
        env.reset(seed=0)
        for name in names:
            *_, truncated, _ = env.step(names.index(name))
            assert not truncated
            if watched:
                everything(env)
        modules.append(env.emit("bitcode"))
    assert modules[0] == modules[1]


@pytest.mark.parametrize("env_id", IDS)
def test_every_task_shows_them(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id, programs="kernels/lz")
    env.reset(seed=0)
    before = everything(env)
    assert before["autophase"].shape == (56,)
    functions = before["inst_count@function"]
    assert functions.values.shape == (len(functions.names), 67)
    assert before["function_properties"].shape == (49,)
    env.step(env.action_space.sample())
    after = everything(env)
    assert after["autophase"][51] == after["inst_count"][-1] > 0


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("env_id", IDS)
def test_they_can_be_part_of_what_the_agent_sees(
    make_env: MakeEnv, env_id: str, observation: str
) -> None:
    env = make_env(
        env_id, programs="kernels/lz", observation=observation, observations=COUNTS
    )
    with warnings.catch_warnings():
        # Counts have no bounds, and spaces differ in what they are scaled to.
        warnings.simplefilter("ignore", UserWarning)
        check_env(env, skip_render_check=True)
    seen, _ = env.reset(seed=0)
    assert seen in env.observation_space
    if observation == "dict":
        for name in COUNTS:
            np.testing.assert_array_equal(seen[name], env.observe(name)[name])
        return
    values = np.concatenate([env.observe(name)[name] for name in COUNTS])
    np.testing.assert_array_equal(seen[-len(values) :], values)


def test_function_properties_are_of_no_loop(make_env: MakeEnv) -> None:
    env = make_env(PASS_ORDERING, programs=CALLS)
    env.reset()
    with fails("INVALID_ARGUMENT", "it is of: module, function"):
        env.observe("function_properties@loop")
