# SPDX-License-Identifier: Apache-2.0
"""Register allocation: what it costs to be observed, and episodes of one function.

Code generation of a module with more than 5000 eviction decisions, answered by one
fixed policy (the first legal column), compared pair by pair, interleaved:

* ours: an episode answered one decision at a time from Python, against the same
  compile with the same decisions sent in one request, both from a parked session;
* LLVM's interactive mode (`llc`) with a minimal Python host, against `llc` alone.
  The plain compile makes LLVM's own decisions, so that its code differs.

Then how long the first reset of each function takes, from the parked module of all of
them against a service that parks nothing; and episodes a second where an episode is one
function.
"""

from __future__ import annotations

import gc
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from benchmarks.modules import module
from benchmarks.observation_cost import one_request_episode, report
from benchmarks.stock import interactive_codegen, plain_codegen, write_bitcode
from mlcompiler_gym import LocalService
from mlcompiler_gym.client.observation import Rows
from mlcompiler_gym.envs.choice import functions_with_decisions

PAIRS = 5
#: Functions of a module whose first reset is timed.
FUNCTIONS = 12
#: Fewer instructions than that has a function whose episodes are counted.
SMALL = 200
BATCHES = 5
BATCH = 20

_ONE = (1).to_bytes(8, "little")


def _first_legal(features: bytes) -> int:
    return next(c for c in range(33) if features[8 * c : 8 * c + 8] == _ONE)


def _make(programs: Any, **settings: Any) -> mlcompiler_gym.CompilerEnv:
    env = gymnasium.make(
        "mlcompiler/RegAllocEviction-v0", programs=programs, **settings
    ).unwrapped
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    return env


def _first(observation: Any, info: dict[str, Any]) -> int:
    return int(info["action_mask"].argmax())


def _heuristic(observation: Any, info: dict[str, Any]) -> int:
    return int(observation[-1])


def _episode(
    env: mlcompiler_gym.CompilerEnv, choose: Any = _first, **options: str
) -> float:
    began = perf_counter()
    observation, info = env.reset(options=options)
    done = False
    while not done:
        observation, _, terminated, truncated, info = env.step(
            choose(observation, info)
        )
        done = terminated or truncated
    return perf_counter() - began


def run() -> None:
    _observed()
    _first_resets()
    _functions()


def _observed() -> None:
    env = _make(module("stb_both"))
    env.reset()
    assert env.baseline
    _episode(env)
    actions = np.array(env.trajectory.actions, "<i8").tobytes()
    plain = env.setup.service.open(
        env.setup.config.baseline_request(), env.setup.programs[0]
    )
    folder, bitcode = write_bitcode(plain.emit("bitcode"))
    plain.close()
    ours, stock = [], []
    gc.disable()
    with folder:
        path = Path(folder.name)
        for _ in range(PAIRS):
            ours.append((_episode(env), one_request_episode(env, actions)))
            elapsed, _ = interactive_codegen(bitcode, path, _first_legal)
            stock.append((elapsed, plain_codegen(bitcode, path)))
    gc.enable()
    env.close()
    print(f"stb_image + stb_truetype, {len(actions) // 8} decisions:")
    report("ours, first legal / same decisions, one request", ours)
    report("stock llc interactive, first legal / plain llc", stock)


def _first_resets() -> None:
    program = module("stb_both")
    medians = []
    for options in ([], ["--parked-sessions=0"]):
        service = LocalService(*options)
        env = _make(program, service=service)
        functions = functions_with_decisions(env.setup, env.setup.programs[0])
        # The first one of all brings the module.
        env.reset(options={"function": functions[0]})
        times = []
        for function in functions[1:FUNCTIONS]:
            began = perf_counter()
            env.reset(options={"function": function})
            times.append(perf_counter() - began)
        medians.append(statistics.median(times))
        env.close()
        service.close()
    print(
        f"  first reset of a function of stb_image + stb_truetype: "
        f"{medians[0] * 1e3:.1f} ms; where the pipeline is run for each "
        f"{medians[1] * 1e3:.1f} ms"
    )


def _small_functions(
    env: mlcompiler_gym.CompilerEnv,
) -> list[tuple[str, str, int]]:
    """Program, name and size of functions that decisions come up in."""
    found = []
    for program in env.setup.programs:
        env.reset(options={"program": program})
        counts = env.observe("inst_count@function")["inst_count@function"]
        assert isinstance(counts, Rows)
        sizes = dict(zip(counts.names, counts.values.sum(1), strict=True))
        found += [
            (program.name, function, int(sizes[function]))
            for function in functions_with_decisions(env.setup, program)
            if sizes[function] < SMALL
        ]
    return found


def _functions() -> None:
    env = _make("kernels", eviction_default=True)
    functions = _small_functions(env)
    for policy, choose in {"heuristic": _heuristic, "first legal": _first}.items():
        rates, decisions = [], []
        for program, function, _ in functions:
            options = {"program": program, "function": function}
            _episode(env, choose, **options)
            decisions.append(len(env.trajectory.actions))
            times = []
            for _ in range(BATCHES):
                began = perf_counter()
                for _ in range(BATCH):
                    _episode(env, choose, **options)
                times.append(perf_counter() - began)
            rates.append(BATCH / statistics.median(times))
        low, median, high = statistics.quantiles(rates, n=4)
        sizes = statistics.median(size for *_, size in functions)
        print(
            f"  {len(functions)} functions of kernels under {SMALL} instructions "
            f"(median {sizes:.0f}), {policy}, {statistics.median(decisions):.0f} "
            f"decisions (median): {median:.0f} episodes a second (quartiles "
            f"{low:.0f} to {high:.0f}, {min(rates):.0f} to {max(rates):.0f}; goal 500)"
        )
    env.close()
