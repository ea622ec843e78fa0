# SPDX-License-Identifier: Apache-2.0
"""Waits in a vector of 8 while one of its programs takes seconds to its baseline.

Pass ordering, whose rewards need the baseline as the episode begins. Each environment
is answered as soon as it is back (``batch_size=1``), with a pass that has nothing to
do. A wait is the time from an answer to the next state of the same environment; waits
with the slow compile beside them and without are measured in turn.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym import Program, ProgramSet
from mlcompiler_gym.programs.clang import compile_source

ENVS = 8
ROUNDS = 3
#: Steps that an episode is played for.
STEPS = 20
#: Makes a baseline of some 5 s.
STATEMENTS = 3000


def _program(folder: Path, name: str, statements: int) -> Program:
    body = "".join(
        f"x = x * {3 + i % 7} + g({i} + x); if (x & {1 << i % 9}) y[x & 15] += x;\n"
        for i in range(statements)
    )
    path = folder / f"{name}.c"
    path.write_text(f"int g(int); int f(int x, int *y) {{ {body} return x; }}")
    return Program(name, compile_source(path))


class BySeed(ProgramSet):
    """Draws the last program with seed 0, and the first with others."""

    def sample(self, rng: np.random.Generator) -> Program:
        seed = rng.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]
        program: Program = self[-1 if seed == 0 else 0]
        return program


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        quick = _program(Path(folder), "quick", 2)
        slow = _program(Path(folder), "slow", STATEMENTS)
    differences = []
    for _ in range(ROUNDS):
        busy, seconds = _waits(BySeed([quick, slow]), None)
        idle, _ = _waits(BySeed([quick]), seconds)
        differences.append((max(busy) - max(idle)) * 1e3)
        print(
            f"{seconds:.1f} s until the slow one is back; longest wait of the others "
            f"{max(busy) * 1e3:.1f} ms ({len(busy)} waits, median {_median(busy)} ms), "
            f"without it {max(idle) * 1e3:.1f} ms ({len(idle)}, {_median(idle)} ms)"
        )
    longest = max(differences)
    print(f"longer by at most {longest:.1f} ms (goal: 50 ms)")


def _median(waits: list[float]) -> str:
    return f"{statistics.median(waits) * 1e3:.2f}"


def _waits(programs: ProgramSet, seconds: float | None) -> tuple[list[float], float]:
    """Waits of all environments but the first, and how long they were measured.

    Args:
        programs: The first environment goes on with the last of them.
        seconds: How long to measure. ``None``: until the first one is back.
    """
    service = mlcompiler_gym.LocalService()
    envs = gymnasium.make_vec(
        "mlcompiler/PassOrdering-v0",
        num_envs=ENVS,
        batch_size=1,
        programs=programs,
        actions=["strip-dead-prototypes"],
        max_episode_steps=STEPS,
        service=service,
    ).unwrapped
    assert isinstance(envs, mlcompiler_gym.CompilerVectorEnv)
    envs.reset(seed=list(range(ENVS)), options={"program": programs[0]})
    for _ in range(STEPS):
        envs.send(np.zeros(1, np.int64), [0])
        envs.recv()
    # Its episode is over: this begins the next.
    envs.send(np.zeros(ENVS, np.int64))
    began = perf_counter()
    sent = [began] * ENVS
    waits: list[float] = []
    until = float("inf") if seconds is None else began + seconds
    while (now := perf_counter()) < until:
        [index] = envs.recv()[4]["env_id"].tolist()
        now = perf_counter()
        if index == 0 and seconds is None:
            break
        if index != 0:
            waits.append(now - sent[index])
        envs.send(np.zeros(1, np.int64), [index])
        sent[index] = perf_counter()
    envs.close()
    service.close()
    return waits, now - began
