# SPDX-License-Identifier: Apache-2.0
"""However loops are split, they compute what they did."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from support.partitions import outputs, partitions, random_partitions, unoptimised
from support.regalloc import MakeEnv

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import active, play
from mlcompiler_gym.programs import Program, load_programs

LOOPS = [program.name for program in load_programs("loops", level="O2")]
#: One loop of each kind, for every run of the tests.
QUICK = ["loops/recur_split_tail", "loops/alias_shift", "loops/cond_guarded_store"]

#: Executables hold this many results.
BATCH = 64


def batches(envs: Iterator[CompilerEnv]) -> Iterator[list[str]]:
    while batch := [env.observe("ir")["ir"] for env in islice(envs, BATCH)]:
        yield batch


def check(
    make_env: MakeEnv,
    name: str,
    folder: Path,
    pipeline: str,
    *,
    sanitize: bool = False,
    random: int = 24,
    agents: int = 1,
) -> int:
    """Compare all partitions of a program's loops with the program; how many.

    With two agents, only random ones, in random orders of the nodes.
    """
    env = make_env(
        "mlcompiler/LoopDistribution-v0",
        programs=name,
        pipeline=pipeline,
        level="O2",
        objective="ir_instructions",
        agents=agents,
    )
    _, info = env.reset()
    if info.get("no_decision"):
        return 0
    program = env.program
    arguments = _arguments(program)
    (expected,) = outputs([unoptimised(env)], arguments, folder)
    checked = 0
    made = partitions if agents == 1 else random_partitions
    for batch in batches(made(env, random)):
        # Where the text is the same, so is what it does.
        distinct = list(dict.fromkeys(batch))
        for number, printed in enumerate(
            outputs(distinct, arguments, folder, sanitize=sanitize)
        ):
            assert printed == expected, f"{name} {pipeline}:\n{distinct[number]}"
        checked += len(batch)
    return checked


def _arguments(program: Program) -> list[tuple[str, ...]]:
    """The smallest of a program's inputs."""
    inputs = [tuple(each) for each in program.inputs or ()]
    assert all(re.fullmatch(r"\d+", size) for each in inputs for size in each)
    return sorted(inputs, key=lambda each: [int(size) for size in each])[:1]


@pytest.mark.parametrize("name", QUICK)
def test_partitions_compute_the_same(
    make_env: MakeEnv, tmp_path: Path, name: str
) -> None:
    assert check(make_env, name, tmp_path, "default<O3>", random=8) >= 2


def test_maximal_distribution_of_all_loops_computes_the_same(
    make_env: MakeEnv, tmp_path: Path
) -> None:
    # Those with the same arguments run together.
    runs: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
    for name in LOOPS:
        env = make_env(
            "mlcompiler/LoopDistribution-v0",
            programs=name,
            pipeline="default<O0>",
            level="O2",
            objective="ir_instructions",
        )
        env.reset()
        original = unoptimised(env)
        play(env, active(env))
        (arguments,) = _arguments(env.program)
        split = env.observe("ir")["ir"]
        runs.setdefault(arguments, []).append((name, original, split))
        env.close()
    assert sum(map(len, runs.values())) >= 60
    for arguments, programs in runs.items():
        modules = [text for _, *texts in programs for text in texts]
        printed = outputs(modules, [arguments], tmp_path)
        for (name, *_), expected, got in zip(
            programs, printed[::2], printed[1::2], strict=True
        ):
            assert got == expected, name


@pytest.mark.parametrize("name", QUICK)
def test_any_order_computes_the_same(
    make_env: MakeEnv, tmp_path: Path, name: str
) -> None:
    checked = check(make_env, name, tmp_path, "default<O3>", random=8, agents=2)
    assert checked == 8


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
@pytest.mark.parametrize("name", LOOPS)
def test_any_order_of_all_loops_computes_the_same(
    make_env: MakeEnv, tmp_path: Path, name: str, pipeline: str
) -> None:
    check(make_env, name, tmp_path, pipeline, agents=2)


@pytest.mark.slow
@pytest.mark.parametrize("sanitize", [False, True], ids=["plain", "sanitized"])
@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
@pytest.mark.parametrize("name", LOOPS)
def test_every_partition_computes_the_same(
    make_env: MakeEnv,
    tmp_path: Path,
    name: str,
    pipeline: str,
    sanitize: bool,
    record_property: Callable[[str, object], None],
) -> None:
    checked = check(make_env, name, tmp_path, pipeline, sanitize=sanitize)
    record_property("partitions", checked)
