# SPDX-License-Identifier: Apache-2.0
"""IR2Vec and MIR2Vec, against LLVM's own tool, in every task."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray
from support.regalloc import IDS as REGALLOC_IDS
from support.regalloc import MakeEnv
from support.samples import CALLS, TRIPLE, fails, ir_program
from support.toolchain import NAMES, SOME, VOCABULARIES, embeddings, run

from mlcompiler_gym import LocalService, Program, load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

KINDS = {"ir2vec": "symbolic", "ir2vec-flow-aware": "flow-aware"}
DIMENSIONS = {
    "ir2vec": 75,
    "ir2vec-300d": 300,
    "ir2vec-flow-aware": 75,
    "ir2vec-flow-aware-300d": 300,
    "mir2vec": 100,
}
#: Architectures that there is a vocabulary of MIR2Vec for.
TRIPLES = {"x86-64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
PASS_ORDERING = "mlcompiler/PassOrdering-v0"
IDS = ["mlcompiler/Inlining-v0", *REGALLOC_IDS, PASS_ORDERING]
PROGRAMS = [
    pytest.param(name, pipeline, marks=() if name in SOME[:2] else pytest.mark.slow)
    for name in NAMES
    for pipeline in ("verify", "default<O2>")
]

#: Registers without a register class, in MIR.
CLASSLESS = rb"\$(mxcsr|fpcw|ssp|fpcr)\b"

#: Blocks that no edge leads to, in the order in which they stand and in which a
#: walk comes to them; a loop in which each phi is an operand of the other.
TANGLED = ir_program(
    TRIPLE
    + """
define i32 @tangled(i32 %n, ptr %p) {
entry:
  %c = icmp sgt i32 %n, 0
  br i1 %c, label %late, label %early
early:
  %e = phi i32 [ 0, %entry ], [ %l, %late ]
  %s = add i32 %e, %n
  %f = call i32 @extern(i32 %s)
  br label %loop
dead:
  %d = mul i32 %x, %n
  %x = add i32 %d, 7
  br label %loop
late:
  %l = load i32, ptr %p
  br label %early
loop:
  %a = phi i32 [ %f, %early ], [ %b, %loop ], [ %d, %dead ]
  %b = phi i32 [ 1, %early ], [ %a, %loop ], [ 2, %dead ]
  %t = add i32 %a, %b
  %r = call i32 @extern(i32 %t)
  %o = fcmp olt double 1.0, 2.0
  %q = icmp ult i32 %r, 9
  br i1 %q, label %loop, label %exit
exit:
  ret i32 %t
}
declare i32 @extern(i32)
""",
    "tangled",
)


def ir2vec(bitcode: bytes, level: str, name: str) -> list[tuple[str, str, list[float]]]:
    kind = KINDS[name.removesuffix("-300d")]
    vocabulary = VOCABULARIES / f"ir2vec-{DIMENSIONS[name]}d.json"
    return embeddings(
        bitcode,
        f"--level={level}",
        f"--ir2vec-kind={kind}",
        f"--ir2vec-vocab-path={vocabulary}",
    )


def mir2vec(bitcode: bytes, target: str, most: int = 6) -> dict[str, list[float]]:
    """What the tool says of some of the functions of a module.

    It crashes on registers of no class, and looks up the classes of all virtual
    registers in the first function, so that each must be shown to it alone.
    """
    selected = run(
        *("llc-22", "-relocation-model=pic", "-stop-after=finalize-isel", "-o", "-"),
        data=bitcode,
    )
    module, *functions = selected.split(b"\n---\n")
    usable = [each for each in functions if not re.search(CLASSLESS, each)]
    vocabulary = VOCABULARIES / f"mir2vec-{target}-100d.json"
    found = {}
    for each in usable[:: max(len(usable) // most, 1)]:
        [(name, _, vector)] = embeddings(
            module + b"\n---\n" + each + b"\n",
            *("--mode=mir", "--level=func", f"--mir2vec-vocab-path={vocabulary}"),
        )
        found[name] = vector
    return found


def assert_close(ours: NDArray[Any], printed: Sequence[Sequence[float]]) -> None:
    """The same, as far as two decimals and float32 can tell."""
    assert ours.dtype == np.float32
    assert len(ours) == len(printed)
    with np.errstate(over="ignore"):
        theirs = np.array(printed, np.float64).reshape(ours.shape)
    for mine, other in zip(ours.astype(np.float64), theirs, strict=True):
        large = np.abs(other[np.isfinite(mine)]).max(initial=0)
        np.testing.assert_allclose(
            mine,
            np.where(
                np.abs(other) > np.finfo(np.float32).max,
                np.copysign(np.inf, other),
                other,
            ),
            rtol=0,
            atol=0.00501 + 1e-6 * large,
        )


def is_call(instruction: str) -> bool:
    """Whether it calls what is no intrinsic."""
    return "@llvm." not in instruction and bool(
        re.match(
            r"\s*(%\S+ = )?((tail|musttail|notail) )?(call|invoke|callbr) ", instruction
        )
    )


def observe(service: LocalService, program: Program, pipeline: str, *names: str) -> Any:
    session = service.open(pb.Open(pipeline=pipeline), program)
    try:
        return session.observe(*names), session.emit("bitcode")
    finally:
        session.close()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("kernel", "pipeline"), PROGRAMS)
def test_ir2vec_is_what_llvm_says_of_kernels(
    service: LocalService, kernel: str, pipeline: str, name: str
) -> None:
    program = load_programs(kernel)[0]
    seen, bitcode = observe(
        service, program, pipeline, name, f"{name}@function", f"{name}@callsite"
    )
    functions = ir2vec(bitcode, "func", name)
    rows = seen[f"{name}@function"]
    assert rows.names == [function for function, _, _ in functions]
    assert_close(rows.values, [vector for *_, vector in functions])
    total = np.sum(rows.values, axis=0, dtype=np.float64)
    np.testing.assert_allclose(seen[name], total, rtol=1e-4, atol=1e-3)
    calls = [each for each in ir2vec(bitcode, "inst", name) if is_call(each[1])]
    sites = seen[f"{name}@callsite"]
    assert [n.split(":")[0] for n in sites.names] == [
        function for function, *_ in calls
    ]
    assert_close(sites.values, [vector for *_, vector in calls])


@pytest.mark.parametrize("name", [n for n in DIMENSIONS if n != "mir2vec"])
def test_ir2vec_of_loops_calls_and_blocks_out_of_order(
    service: LocalService, name: str
) -> None:
    scopes = [f"{name}@{scope}" for scope in ("function", "loop", "callsite")]
    seen, bitcode = observe(service, TANGLED, "verify", *scopes)
    functions, loops, calls = (seen[scope].values for scope in scopes)
    assert functions.shape == (1, DIMENSIONS[name])
    assert_close(functions, [v for *_, v in ir2vec(bitcode, "func", name)])
    blocks = {label.strip(": "): v for _, label, v in ir2vec(bitcode, "bb", name)}
    assert_close(loops, [blocks["loop"]])
    printed = ir2vec(bitcode, "inst", name)
    assert_close(calls, [v for _, label, v in printed if is_call(label)])


@pytest.mark.parametrize("target", ["x86-64", "aarch64"])
@pytest.mark.parametrize(("kernel", "pipeline"), PROGRAMS)
def test_mir2vec_is_what_llvm_says_of_kernels(
    service: LocalService, kernel: str, pipeline: str, target: str
) -> None:
    program = load_programs(kernel, target=TRIPLES[target])[0]
    seen, bitcode = observe(service, program, pipeline, "mir2vec", "mir2vec@function")
    printed = mir2vec(bitcode, target)
    rows = seen["mir2vec@function"]
    total = np.sum(rows.values, axis=0, dtype=np.float64)
    np.testing.assert_allclose(seen["mir2vec"], total, rtol=1e-4, atol=1e-3)
    if not printed:
        pytest.skip("each function has a register of no class: the tool crashes on it")
    assert set(printed) <= set(rows.names)
    values = dict(zip(rows.names, rows.values, strict=True))
    assert_close(np.array([values[name] for name in printed]), list(printed.values()))


@pytest.mark.parametrize("name", DIMENSIONS)
def test_what_is_kept_between_passes_is_what_a_fresh_look_sees(
    service: LocalService, make_env: MakeEnv, name: str
) -> None:
    scopes = (name, f"{name}@function")
    actions = [
        "mem2reg",
        "simplifycfg",
        "instcombine<no-verify-fixpoint>",
        "inline",
        "globaldce",
        "gvn",
    ]
    env = make_env(PASS_ORDERING, programs="kernels/lz", actions=actions)
    env.reset(seed=0)
    for action in (0, 3, 1, 2, 2, 4, 5):
        env.step(action)
        kept = env.observe(*scopes)
        program = Program("fresh", env.emit("bitcode"))
        fresh, _ = observe(service, program, "verify", *scopes)
        np.testing.assert_array_equal(kept[name], fresh[name])
        np.testing.assert_array_equal(kept[scopes[1]].values, fresh[scopes[1]].values)
        assert kept[scopes[1]].names == fresh[scopes[1]].names


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("flat", [True, False])
def test_vectors_in_the_observation_space(
    make_env: MakeEnv, env_id: str, flat: bool
) -> None:
    names = ("ir2vec", "ir2vec-flow-aware", "mir2vec")
    env = make_env(
        env_id,
        programs="kernels/lz",
        observations=names,
        observation="flat" if flat else "dict",
    )
    seen, _ = env.reset(seed=0)
    for _ in range(3):
        assert env.observation_space.contains(seen)
        asked = env.observe(*names)
        for name in names:
            np.testing.assert_array_equal(
                env.setup.features.pick(seen, name), asked[name]
            )
            assert np.any(asked[name])
        seen, *_ = env.step(any_action(env))


def any_action(env: CompilerEnv) -> Any:
    if not isinstance(env.action_space, spaces.Discrete):
        return env.action_space.sample()
    return int(np.argmax(env.action_masks()))


@pytest.mark.parametrize("env_id", REGALLOC_IDS)
def test_mir2vec_of_the_function_that_registers_are_being_allocated_in(
    service: LocalService, make_env: MakeEnv, env_id: str
) -> None:
    env = make_env(env_id, programs="kernels/lz")
    env.reset(seed=0)
    selected, _ = observe(
        service,
        Program("same", env.emit("bitcode")),
        "verify",
        "mir2vec@function",
    )
    before = dict(
        zip(
            selected["mir2vec@function"].names,
            selected["mir2vec@function"].values,
            strict=True,
        )
    )
    functions = set()
    for _ in range(40):
        seen = env.observe("mir2vec", "mir2vec@function", "decision")
        [function] = seen["mir2vec@function"].names
        np.testing.assert_array_equal(
            seen["mir2vec"], seen["mir2vec@function"].values[0]
        )
        assert function == json.loads(seen["decision"])["function"]
        # Physical registers have come in since.
        assert not np.allclose(seen["mir2vec"], before[function])
        functions.add(function)
        twin = env.fork()
        np.testing.assert_array_equal(
            twin.observe("mir2vec")["mir2vec"], seen["mir2vec"]
        )
        twin.close()
        _, _, terminated, truncated, _ = env.step(any_action(env))
        if terminated or truncated:
            break
    assert functions


@pytest.mark.parametrize("name", ["ir2vec", "mir2vec"])
def test_no_vocabulary(tmp_path: Path, name: str) -> None:
    file = {"ir2vec": "ir2vec-75d.json", "mir2vec": "mir2vec-x86-64-100d.json"}[name]
    for folder in ("", str(tmp_path)):
        with_none = LocalService(f"--vocabularies={folder}")
        session = with_none.open(pb.Open(pipeline="verify"), CALLS)
        with fails("INVALID_ARGUMENT", file, folder, "--vocabularies", ended=False):
            session.observe(name)
        assert session.observe("ir")["ir"]
        with_none.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[", "ir2vec-75d.json"),
        ("[]", "has no section 'Opcodes'"),
        ('{"Opcodes": {"Ret": [1, 2]}}', "'Ret' is no vector of 75 numbers"),
        ('{"Opcodes": 7}', "it is no object"),
        (json.dumps({"Opcodes": {"Ret": ["x"] * 75}}), "no number"),
    ],
)
def test_a_vocabulary_that_is_none(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "ir2vec-75d.json").write_text(content)
    service = LocalService(f"--vocabularies={tmp_path}")
    session = service.open(pb.Open(pipeline="verify"), CALLS)
    with fails("INVALID_ARGUMENT", words, ended=False):
        session.observe("ir2vec")
    service.close()


def test_no_mir2vec_for_other_targets(service: LocalService) -> None:
    program = ir_program(
        'target triple = "i386-pc-linux-gnu"\ndefine void @f() {\n  ret void\n}\n'
    )
    session = service.open(pb.Open(pipeline="verify"), program)
    with fails("INVALID_ARGUMENT", "i386", "x86-64", "AArch64", ended=False):
        session.observe("mir2vec")
    session.close()
