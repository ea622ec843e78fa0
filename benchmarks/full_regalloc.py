# SPDX-License-Identifier: Apache-2.0
"""Full register allocation: what fixed policies come to, and what a step takes.

LLVM's other two allocators, the rule `cheapest_action` in every fixed order, and chance
allocate each function of `kernels` on both targets. Their scores are divided by that of
LLVM's greedy allocator, and summed up as geometric means and as totals.

`MLCOMPILER_GYM_BENCH_DECISIONS` is how many random decisions are then taken on each
target at least, under LLVM's verifier of machine code. A quarter each is taken in
kernels, loops, random C and real programs, and some in each of these programs. Each
x86-64 program that can be run is run, and must print what it prints unoptimised. All
are compiled with LLVM's synthetic debug information, and `llvm-dwarfdump --verify` must
find no error in what is left of it. The real programs are fetched first:
`mlcompiler-gym programs fetch apps --level O2`, and again with `--target aarch64`.
`MLCOMPILER_GYM_BENCH_CHECK_ONLY=1` leaves out all but these checks.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv

ID = "mlcompiler/RegAlloc-v0"
TARGETS = ("x86_64-linux-gnu", "aarch64-linux-gnu")
ORDERS = ("weight", "size", "global_first")
DECISIONS = int(os.environ.get("MLCOMPILER_GYM_BENCH_DECISIONS", "0"))
CHECK_ONLY = os.environ.get("MLCOMPILER_GYM_BENCH_CHECK_ONLY") == "1"

#: Actions of a decision; the mask, which comes first, has an element for each.
ACTIONS = 54

#: By function: the score.
Scores = dict[str, float]


def make(service: LocalService, **settings: Any) -> CompilerEnv:
    env = gymnasium.make(ID, service=service, **settings).unwrapped
    assert isinstance(env, CompilerEnv)
    return env


def scores(service: LocalService, seed: int | None = None, **settings: Any) -> Scores:
    """What functions of `kernels` come to, by the rule or by chance.

    What the rule says is the last feature.
    """
    env = make(service, programs="kernels", **settings)
    rng = np.random.default_rng(seed)
    found = {}
    for program in env.setup.programs:
        request = env.setup.config.open_request(park=False)
        with closing(service.open(request, program)) as session:
            state = session.opened.state
            while state.HasField("features"):
                seen = np.frombuffer(state.features, "<f4")
                action = int(seen[-1])
                if seed is not None:
                    action = int(rng.choice(np.flatnonzero(seen[:ACTIONS])))
                state = session.step(np.array([action], "<i8").tobytes())
            for function in state.outcome.functions:
                [score] = function.measurements
                found[f"{program.name}:{function.function}"] = score.value
    env.close()
    return found


def report(name: str, found: Scores, greedy: Scores) -> None:
    ratios = [found[each] / greedy[each] for each in greedy if greedy[each]]
    total = sum(found.values()) / sum(greedy.values())
    mean = float(np.exp(np.mean(np.log(ratios))))
    print(f"  {name:24} geometric mean {mean:.4f}, total {total:.4f}", flush=True)


def compare(service: LocalService, target: str) -> None:
    print(target)
    greedy = scores(service, target=target, allocator="greedy")
    for allocator in ("basic", "pbqp"):
        report(allocator, scores(service, target=target, allocator=allocator), greedy)
    for order in ORDERS:
        found = scores(service, target=target, order=order, cheapest_action=True)
        report(f"cheapest, {order}", found, greedy)
    report("random", scores(service, seed=0, target=target), greedy)


def steps(service: LocalService) -> None:
    for order in ("agent", "weight"):
        env = make(service, programs="kernels/lz", order=order)
        taken = []
        for _ in range(10):
            env.reset()
            over = False
            while not over:
                action = int(np.flatnonzero(env.action_masks())[0])
                began = time.perf_counter()
                _, _, over, _, _ = env.step(action)
                taken.append(time.perf_counter() - began)
        env.close()
        low, median = np.quantile(taken, [0.1, 0.5]) * 1e6
        print(f"  order={order}: step median {median:.1f} us, 10% under {low:.1f} us")


def programs_to_check() -> Mapping[str, Sequence[str]]:
    """By set: the names of the programs that random decisions are taken in."""
    real = ("heatshrink", "twofish", "argon2", "lzfse", "ppmd", "fdt", "lz4", "hoedown")
    return {
        "kernels": mlcompiler_gym.load_programs("kernels").names,
        "loops": mlcompiler_gym.load_programs("loops").names,
        "csmith": [f"csmith/{seed}" for seed in range(1, 41)],
        "apps": [f"apps/{name}" for name in real],
    }


def check_debug_information(object_code: bytes) -> None:
    """Check that some is left, and that LLVM finds no error in it."""
    with tempfile.NamedTemporaryFile(suffix=".o") as file:
        file.write(object_code)
        file.flush()
        command = ("llvm-dwarfdump-22", "--verify", file.name)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or "No errors." not in done.stdout:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}")
        shown = subprocess.run(
            ("llvm-dwarfdump-22", "--debug-info", file.name),
            capture_output=True,
            text=True,
            check=True,
        )
        if "DW_AT_location" not in shown.stdout:
            raise RuntimeError("no variable has a location")


def check(service: LocalService, target: str) -> None:
    for name, programs in programs_to_check().items():
        check_set(service, target, name, programs)


def check_set(
    service: LocalService, target: str, name: str, programs: Sequence[str]
) -> None:
    taken = compiled = run = 0
    for seed, program in enumerate(itertools.cycle(programs)):
        if seed >= len(programs) and taken >= DECISIONS / 4:
            break
        order = ("agent", *ORDERS)[seed % 4]
        env = make(
            service,
            programs=program,
            target=target,
            order=order,
            pipeline="debugify,default<O2>",
            verify_machine_code=True,
        )
        _, info = env.reset()
        if "no_decision" not in info:
            made = env.rollout("random", seed=seed)
            taken += len(made.actions)
            info = made.info
        if "error" in info:
            raise RuntimeError(f"{program}, seed {seed}: {info['error']}")
        check_debug_information(env.emit("object"))
        compiled += 1
        if target == TARGETS[0] and env.program.inputs is not None:
            found = env.validate()
            if found.differences:
                raise RuntimeError(f"{program}, seed {seed}: prints something else")
            # Some random programs do not end, as their unoptimised code does not.
            run += found.ok
        env.close()
    print(
        f"  {target}, {name}: {taken} random decisions in {compiled} compiles, no "
        f"error of the verifiers; {run} compiles run, same output",
        flush=True,
    )


def run() -> None:
    service = LocalService()
    if not CHECK_ONLY:
        steps(service)
        for target in TARGETS:
            compare(service, target)
    if DECISIONS:
        for target in TARGETS:
            check(service, target)
    service.close()
