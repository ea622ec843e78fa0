# SPDX-License-Identifier: Apache-2.0
"""Whatever is asked of LLVM for loops, programs compute what they did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.regalloc import MakeEnv

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import play
from mlcompiler_gym.programs import load_programs

ID = "mlcompiler/LoopFactors-v0"
SUITE = [
    program.name
    for name in ("loops", "kernels")
    for program in load_programs(name, level="O2")
]
QUICK = ["loops/recur_split_tail", "loops/cond_clipping", "kernels/lz"]


def uniform(env: CompilerEnv) -> Iterator[CompilerEnv]:
    """Each combination, at all loops where it is legal."""
    for action in range(len(env.setup.actions.meanings)):

        def choose(_: Any, info: dict[str, Any], wanted: int = action) -> int:
            return wanted if info["action_mask"][wanted] else 0

        play(env, choose)
        yield env


def drawn(env: CompilerEnv, count: int) -> Iterator[CompilerEnv]:
    """Another combination at each loop."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        play(env, lambda _, info: int(rng.choice(np.flatnonzero(info["action_mask"]))))
        yield env


def check(made: Iterator[CompilerEnv]) -> int:
    """Compare what is printed with what the unoptimised program does.

    Returns:
        How many different object files there were.
    """
    seen = set()
    for env in made:
        code = env.emit()
        if code not in seen:
            validation = env.validate()
            assert validation.ok, validation.report()
        seen.add(code)
    return len(seen)


@pytest.mark.parametrize("name", QUICK)
def test_combinations_compute_the_same(make_env: MakeEnv, name: str) -> None:
    env = make_env(ID, programs=name, objective="ir_instructions")
    assert check(drawn(env, 6)) >= 4


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SUITE)
def test_all_combinations_compute_the_same(make_env: MakeEnv, name: str) -> None:
    env = make_env(ID, programs=name, objective="ir_instructions", unroll_and_jam=True)
    _, info = env.reset()
    if not info.get("no_decision"):
        check(uniform(env))
        check(drawn(env, 32))
