# SPDX-License-Identifier: Apache-2.0
"""What two actions are worth, in one request, against two rollouts by stepping.

Wall-clock time at the first inlining decision, LLVM deciding the rest, in pairs,
one after the other. Stepping answers each decision from Python, in one fork after the
other.
"""

from __future__ import annotations

import statistics
from time import perf_counter
from typing import Any

import gymnasium

from mlcompiler_gym import CompilerEnv

PAIRS = 9
PROGRAMS = ("kernels/regex", "kernels/sql", "kernels/lisp")


def by_stepping(env: CompilerEnv) -> dict[int, dict[str, float]]:
    values = {}
    pick = env.setup.features.pick
    for action in (0, 1):
        with env.fork() as twin:
            observation, _, over, _, info = twin.step(action)
            while not over:
                told = int(pick(observation, "inlining_default").item())
                observation, _, over, _, info = twin.step(told)
            values[action] = info["objective"]
    return values


def run() -> None:
    for name in PROGRAMS:
        env: Any = gymnasium.make(
            "mlcompiler/Inlining-v0", programs=name, inlining_default=True
        ).unwrapped
        env.reset(seed=0)
        assert by_stepping(env) == env.action_values(
            "llvm"
        )  # and the baseline is known
        ratios, times = [], []
        for _ in range(PAIRS):
            began = perf_counter()
            by_stepping(env)
            stepped = perf_counter() - began
            began = perf_counter()
            env.action_values("llvm")
            times.append(perf_counter() - began)
            ratios.append(times[-1] / stepped)
        low, median, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name}: {statistics.median(times) * 1e3:.0f} ms, {median:.2f} of "
            f"stepping ({low:.2f} to {high:.2f})"
        )
        env.close()
