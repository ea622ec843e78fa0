# SPDX-License-Identifier: Apache-2.0
"""Random loops, however they are split, compute what they did."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import pytest
from support.partitions import outputs, partitions, random_partitions, unoptimised
from support.random_loops import random_loops
from support.regalloc import MakeEnv
from support.toolchain import run

from mlcompiler_gym.envs import CompilerEnv

#: Partitions in all, with both pipelines and with one and two agents.
PARTITIONS = int(os.environ.get("MLCOMPILER_GYM_TEST_PARTITIONS", "2000"))
#: Most partitions of one program.
_EACH = 24
#: Partitions of one test, few enough for its time limit on a busy machine.
_TOGETHER = 100
_PARTS = max(1, PARTITIONS // (4 * _TOGETHER))

PIPELINES = ["default<O0>", "default<O3>"]


class Checked:
    """Random programs and their partitions, run together.

    Args:
        make_env: The fixture.
        folder: To work in.
        pipeline: The rest of the compile.
        agents: How many; if there are two, the order of the nodes is random.
    """

    def __init__(
        self, make_env: MakeEnv, folder: Path, pipeline: str, agents: int
    ) -> None:
        self.make_env, self.folder = make_env, folder
        self.settings = {"pipeline": pipeline, "agents": agents}
        #: The program as it is, and its different partitions, by seed.
        self.modules: dict[int, list[str]] = {}

    def add(self, seed: int) -> None:
        source = self.folder / f"random_{seed}.c"
        source.write_text(random_loops(seed))
        env = self.make_env(
            "mlcompiler/LoopDistribution-v0",
            programs=str(source),
            level="O2",
            objective="ir_instructions",
            **self.settings,
        )
        _, info = env.reset()
        if not info.get("no_decision"):
            made: Iterator[CompilerEnv]
            if self.settings["agents"] == 1:
                made = islice(partitions(env, random=_EACH // 2, seed=seed), _EACH)
            else:
                made = random_partitions(env, _EACH, seed)
            texts = (str(each.observe("ir")["ir"]) for each in made)
            self.modules[seed] = [unoptimised(env), *dict.fromkeys(texts)]
        env.close()

    @property
    def partitions(self) -> int:
        """How many there are."""
        return sum(len(each) - 1 for each in self.modules.values())

    def check(self) -> None:
        texts = [text for each in self.modules.values() for text in each]
        printed = iter(outputs(texts, [()], self.folder))
        for seed, (_, *split) in self.modules.items():
            expected = next(printed)
            for text in split:
                assert next(printed) == expected, f"{seed} {self.settings}:\n{text}"


@pytest.mark.parametrize("agents", [1, 2])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_some_random_loops_compute_the_same(
    make_env: MakeEnv, tmp_path: Path, pipeline: str, agents: int
) -> None:
    checked = Checked(make_env, tmp_path, pipeline, agents)
    for seed in range(4):
        checked.add(seed)
    assert checked.partitions >= 8
    checked.check()


@pytest.mark.slow
@pytest.mark.parametrize("agents", [1, 2])
@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("part", range(_PARTS))
def test_random_loops_compute_the_same(
    make_env: MakeEnv,
    tmp_path: Path,
    part: int,
    pipeline: str,
    agents: int,
    record_property: Callable[[str, object], None],
) -> None:
    checked = Checked(make_env, tmp_path, pipeline, agents)
    first = 1_000_000 * (2 * PIPELINES.index(pipeline) + agents)
    for seed in count(first + part, _PARTS):
        checked.add(seed)
        if checked.partitions >= _TOGETHER:
            break
    checked.check()
    record_property("partitions", checked.partitions)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_random_loops_have_no_undefined_behaviour(tmp_path: Path, part: int) -> None:
    for seed in range(part, 64, 8):
        source = tmp_path / "random.c"
        source.write_text(random_loops(seed))
        checks = ["-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
        printed = []
        for level in (["-O0", *checks], ["-O2"]):
            program = tmp_path / "random"
            run(
                *("clang-22", "-w", "-fuse-ld=lld", "-no-pie", *level),
                *(str(source), "-o", str(program)),
            )
            printed.append(run(str(program)))
        assert printed[0] == printed[1], seed
