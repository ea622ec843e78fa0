# SPDX-License-Identifier: Apache-2.0
"""Random episodes over kernels and csmith: how many compute the same, how fast."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from time import perf_counter

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs.progress import progress_bar
from mlcompiler_gym.validation import Limits

EPISODES = int(os.environ.get("MLCOMPILER_GYM_BENCH_EPISODES", "100"))

#: Some programs of csmith never end; the others take milliseconds.
LIMITS = Limits(cpu_seconds=2)


def _episode(env: CompilerEnv, seed: int) -> None:
    """Inline with a probability of the episode's own."""
    rng = np.random.default_rng(seed)
    probability = rng.random()
    env.reset(seed=seed)
    while True:
        _, _, terminated, truncated, info = env.step(int(rng.random() < probability))
        if truncated:
            raise RuntimeError(f"{env.program}, seed {seed}: {info['error']}")
        if terminated:
            return


def run() -> None:
    service = mlcompiler_gym.LocalService()
    env = gymnasium.make(
        "mlcompiler/Inlining-v0", programs=["kernels", "csmith"], service=service
    ).unwrapped
    assert isinstance(env, CompilerEnv)
    found: dict[str, Counter[str]] = {"kernels": Counter(), "csmith": Counter()}
    steps, validating = 0, 0.0
    began = perf_counter()
    compared = 0
    bar = progress_bar(EPISODES, "episodes", unit="episode", enabled=True)
    for seed in itertools.count():
        if compared == EPISODES:
            break
        _episode(env, seed)
        steps += len(env.trajectory.actions)
        before = perf_counter()
        validation = env.validate(limits=LIMITS)
        validating += perf_counter() - before
        comparable = validation.status in ("same", "different")
        compared += comparable
        bar.update(comparable)
        found[env.program.name.split("/")[0]][validation.status] += 1
        if validation.status == "different":
            print(validation.report(), flush=True)
    bar.close()
    seconds = perf_counter() - began
    env.close()
    service.close()
    for name, statuses in found.items():
        counts = ", ".join(f"{n} {status}" for status, n in sorted(statuses.items()))
        print(f"{name}: {sum(statuses.values())} episodes: {counts}")
    print(
        f"{seed} episodes, {EPISODES} of them comparable, {steps} decisions, "
        f"in {seconds:.0f} s "
        f"({seconds / seed * 1e3:.0f} ms each, of which validation "
        f"{validating / seed * 1e3:.0f} ms)"
    )
