# SPDX-License-Identifier: Apache-2.0
"""However loops are split, they compute what they did."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from support.partitions import outputs, partitions, random_partitions
from support.regalloc import MakeEnv

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

LOOPS = [program.name for program in load_programs("loops", level="O2")]
#: Of each kind one, for every run of the tests.
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
    unoptimised = env.setup.service.open(pb.Open(pipeline="verify"), program)
    original = unoptimised.observe("ir")["ir"]
    unoptimised.close()
    (expected,) = outputs([original], arguments, folder)
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
