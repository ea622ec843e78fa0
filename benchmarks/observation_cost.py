# SPDX-License-Identifier: Apache-2.0
"""What it costs to be observed: an episode answered from Python.

Whole compiles, down to the object file and its text size, compared pair by pair,
interleaved, on modules with more than 1000 decisions:

* ours: an episode answered one decision at a time by a constant policy in Python,
  against the same compile with the same decisions sent in one request;
* ours, repeating LLVM's own decisions, against LLVM's own compile in our service:
  this includes what LLVM's feature extraction costs;
* LLVM's interactive mode with a minimal Python host that repeats LLVM's own
  decisions, against plain `opt`, `llc` behind both: the same for stock LLVM.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from benchmarks.modules import module
from benchmarks.stock import interactive_compile, plain_compile, write_bitcode
from mlcompiler_gym.client import Service

PAIRS = 5

Policy = Callable[[Any], int]


def _never(observation: Any) -> int:
    return 0


def _echo(observation: Any) -> int:
    return int(observation[-1])


def _last_feature(features: bytes) -> int:
    return features[-8]


def _python_episode(env: mlcompiler_gym.CompilerEnv, policy: Policy) -> float:
    began = perf_counter()
    observation, _ = env.reset()
    done = False
    while not done:
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        done = terminated or truncated
    return perf_counter() - began


def one_request_episode(env: mlcompiler_gym.CompilerEnv, actions: bytes) -> float:
    """Seconds of a compile to which all decisions are sent at once."""
    setup = env.setup
    program = setup.programs[0]
    began = perf_counter()
    session = setup.service.open(setup.config.open_request(), program)
    session.step(actions)
    elapsed = perf_counter() - began
    session.close()
    return elapsed


def _heuristic_compile(env: mlcompiler_gym.CompilerEnv, service: Service) -> float:
    service.baselines.clear()
    began = perf_counter()
    assert env.baseline
    return perf_counter() - began


def report(label: str, pairs: list[tuple[float, float]]) -> float:
    ratios = [a / b for a, b in pairs]
    quartiles = statistics.quantiles(ratios, n=4)
    median = statistics.median(ratios)
    print(
        f"  {label:58} {statistics.median(a for a, _ in pairs):.3f} s / "
        f"{statistics.median(b for _, b in pairs):.3f} s, ratio {median:.3f} "
        f"(quartiles {quartiles[0]:.3f} to {quartiles[-1]:.3f})"
    )
    return median


def run() -> None:
    for name in ("stb_both", "nlohmann_json"):
        _measure(name)


def _make(name: str, **settings: Any) -> mlcompiler_gym.CompilerEnv:
    env = gymnasium.make(
        "mlcompiler/Inlining-v0",
        programs=module(name),
        **settings,
    ).unwrapped
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    env.reset(seed=0)
    return env


def _measure(name: str) -> None:
    env = _make(name)
    echo = _make(name, inlining_default=True)
    _python_episode(env, _never)
    decisions = env.stats.steps
    actions = np.zeros(decisions, "<i8").tobytes()
    ours, ours_echo, stock = [], [], []
    folder, bitcode = write_bitcode(module(name).bitcode)
    gc.disable()
    with folder:
        path = Path(folder.name)
        for _ in range(PAIRS):
            ours.append(
                (_python_episode(env, _never), one_request_episode(env, actions))
            )
            echo.reset()
            heuristic = _heuristic_compile(echo, echo.setup.service)
            ours_echo.append((_python_episode(echo, _echo), heuristic))
            _, elapsed, _ = interactive_compile(bitcode, path, _last_feature)
            stock.append((elapsed, plain_compile(bitcode, path)))
    gc.enable()
    print(f"{name}, {decisions} decisions when nothing is inlined:")
    report("ours, constant policy / same decisions, one request", ours)
    report("ours, LLVM's decisions repeated / LLVM's own compile", ours_echo)
    report("stock interactive, LLVM's repeated / plain opt", stock)
    for each in (env, echo):
        each.close()
