# SPDX-License-Identifier: Apache-2.0
"""IR2Vec of a module whose functions have all changed, against counting opcodes.

A pass changes every function; then the vector and the histogram of opcodes are asked
for, in turn first, and both once more when they are known: what is left then is the
round trip. Each round is an episode of its own.
"""

from __future__ import annotations

import gc
import statistics
from time import perf_counter

import gymnasium

import mlcompiler_gym
from benchmarks.modules import module

ROUNDS = 60
COUNT = "inst_count"
VECTORS = ("ir2vec", "ir2vec-flow-aware", "ir2vec-300d")


def run() -> None:
    for name in ("stb_truetype", "stb_image"):
        _measure(name)


def _time(env: mlcompiler_gym.CompilerEnv, name: str) -> float:
    began = perf_counter()
    env.observe(name)
    return perf_counter() - began


def _measure(program: str) -> None:
    env = gymnasium.make(
        "mlcompiler/PassOrdering-v0",
        programs=module(program),
        actions=["reg2mem"],
    ).unwrapped
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    gc.disable()
    for name in VECTORS:
        ratios, bare, times, size = [], [], [], 0
        for index in range(ROUNDS):
            env.reset(seed=0)
            # Reads the vocabulary.
            env.observe(name, COUNT)
            env.step(0)
            pair = [name, COUNT] if index % 2 else [COUNT, name]
            first = {each: _time(env, each) for each in pair}
            known = {each: _time(env, each) for each in pair}
            ratios.append(first[name] / first[COUNT])
            bare.append(
                (first[name] - known[name]) / max(first[COUNT] - known[COUNT], 1e-6)
            )
            times.append((first[name], first[COUNT]))
            size = env.observe(COUNT)[COUNT][-1]
        low, median, high = statistics.quantiles(ratios, n=4)
        print(
            f"{program}, {size} instructions: {name} "
            f"{statistics.median(a for a, _ in times) * 1e6:.0f} µs, {COUNT} "
            f"{statistics.median(b for _, b in times) * 1e6:.0f} µs, ratio "
            f"{median:.2f} (quartiles {low:.2f} to {high:.2f}; goal 3); without the "
            f"round trip {statistics.median(bare):.2f}"
        )
    gc.enable()
    env.close()
