# SPDX-License-Identifier: Apache-2.0
"""Reset from a parked session, and a fork in the middle of the inliner."""

from __future__ import annotations

import statistics
from pathlib import Path
from time import perf_counter

import gymnasium

import mlcompiler_gym
from benchmarks.modules import module
from benchmarks.stock import interactive_compile, write_bitcode

ROUNDS = 100
STOCK_ROUNDS = 15


def run() -> None:
    for name in ("stb_truetype", "stb_image"):
        _measure(name)


def _measure(name: str) -> None:
    program = module(name)
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=program).unwrapped
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    began = perf_counter()
    env.reset(seed=0)
    fresh = perf_counter() - began
    size = env.measure("ir_instructions")["ir_instructions"]

    folder, bitcode = write_bitcode(program.bitcode)
    resets: list[float] = []
    stock: list[float] = []
    with folder:
        for index in range(ROUNDS):
            began = perf_counter()
            env.reset()
            resets.append(perf_counter() - began)
            if index < STOCK_ROUNDS:
                first, _, _ = interactive_compile(
                    bitcode, Path(folder.name), lambda features: 0, first_only=True
                )
                stock.append(first)

    for _ in range(300):
        env.step(0)
    forks = []
    for _ in range(ROUNDS):
        began = perf_counter()
        twin = env.fork()
        forks.append(perf_counter() - began)
        twin.close()
    env.close()
    reset, fork = statistics.median(resets), statistics.median(forks)
    first = statistics.median(stock)
    print(
        f"{name}, {size:.0f} instructions at the first decision: "
        f"reset {reset * 1e3:.2f} ms median (goal 3 ms; the very first, not parked: "
        f"{fresh * 1e3:.0f} ms); stock interactive mode's first observation "
        f"{first * 1e3:.0f} ms, {first / reset:.0f} x as long (goal 30 x); "
        f"fork after 300 decisions {fork * 1e3:.2f} ms median (goal 3 ms)"
    )
