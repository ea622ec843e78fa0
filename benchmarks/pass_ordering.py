# SPDX-License-Identifier: Apache-2.0
"""Pass ordering: a step that changes nothing, reset and fork, by size of module."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import gymnasium

from benchmarks.modules import module
from mlcompiler_gym import PassOrderingEnv, Program
from mlcompiler_gym.programs.clang import compile_source

ENV_ID = "mlcompiler/PassOrdering-v0"
#: Finds nothing to do once it has been run, and looks at declarations only.
NOTHING_TO_DO = "strip-dead-prototypes"
#: Look at every instruction, and find nothing to do either.
WITHOUT_EFFECT = ("dce", "instcombine<no-verify-fixpoint>", "simplifycfg")
ROUNDS = 300
STEPS = 60

_SMALL = """
int step(int a, int b) { return a * 3 + (b ^ a) - (b >> 2); }
int many(int *p, int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += step(p[i], i) + step(i, p[n - i - 1]);
  for (int i = 0; i < n; ++i) if (p[i] > sum) sum ^= step(sum, p[i]); else p[i] = sum;
  return sum;
}
int twice(int *p, int n) { int a = many(p, n), b = many(p + 1, n - 1); return a - b; }
int parts(int *p, int n) {
  int a = 0, b = 1, c = 2;
  for (int i = 0; i < n; ++i) { a += p[i]; b *= p[i] | 1; c ^= a + b; p[i] = c; }
  return twice(p, n) + a + b + c;
}
"""


def small() -> Program:
    """A module of about 200 instructions before any optimisation."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "small.c")
        source.write_text(_SMALL)
        return Program("small", compile_source(source))


def _microseconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return statistics.median(times) * 1e6


def _fork_milliseconds(env: PassOrderingEnv) -> float:
    times = []
    for _ in range(100):
        began = perf_counter()
        twin = env.fork()
        times.append(perf_counter() - began)
        twin.close()
    return statistics.median(times) * 1e3


def run() -> None:
    for program in (small(), module("stb_truetype"), module("stb_image")):
        _measure(program)


def _measure(program: Program) -> None:
    env = gymnasium.make(ENV_ID, programs=program).unwrapped
    assert isinstance(env, PassOrderingEnv)
    _, info = env.reset(seed=0)
    names = env.action_names
    size = info["objective"]["ir_instructions"]
    print(f"{program.name}, {size:.0f} instructions, Autophase and reward:")
    for name in (NOTHING_TO_DO, *WITHOUT_EFFECT):
        action = names.index(name)
        for _ in range(5):
            *_, info = env.step(action)
        if not info["no_effect"]:
            raise RuntimeError(f"{name} still changes {program.name}")
        rounds = ROUNDS if name == NOTHING_TO_DO else 30
        median = _microseconds(lambda action=action: env.step(action), rounds)  # type: ignore[misc]
        print(f"  step without effect, {name}: {median:.1f} us median")
    print(f"  reset of a parked session: {_microseconds(env.reset, 100) / 1e3:.2f} ms")
    env.action_space.seed(0)
    for taken in range(STEPS + 1):
        if taken in (0, STEPS):
            median = _fork_milliseconds(env)
            size = env.measure()["ir_instructions"]
            print(
                f"  fork after {taken} random steps ({size:.0f} instructions): "
                f"{median:.2f} ms"
            )
        if "error" in env.step(env.action_space.sample())[4]:
            env.reset()
    env.close()
