# SPDX-License-Identifier: Apache-2.0
"""Full register allocation: what fixed policies come to, and what a step takes.

LLVM's other two allocators, the rule `cheapest_action` in every fixed order, and chance
allocate each function of `kernels` on both targets. Their scores are divided by that of
LLVM's greedy allocator, and summed up as geometric means and as totals.

`MLCOMPILER_GYM_BENCH_DECISIONS` is how many random decisions are then taken on each
target over kernels, loops and csmith, under LLVM's verifier of machine code. Each
x86-64 program that can be run is run, and must print what it prints unoptimised.
"""

from __future__ import annotations

import itertools
import os
import time
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


def check(service: LocalService, target: str) -> None:
    names = [
        *mlcompiler_gym.load_programs("kernels").names,
        *mlcompiler_gym.load_programs("loops").names,
        *(f"csmith/{seed}" for seed in range(1, 41)),
    ]
    taken = run = 0
    for seed, name in enumerate(itertools.cycle(names)):
        if taken >= DECISIONS:
            break
        order = ("agent", *ORDERS)[seed % 4]
        env = make(
            service,
            programs=name,
            target=target,
            order=order,
            verify_machine_code=True,
        )
        _, info = env.reset()
        if "no_decision" not in info:
            made = env.rollout("random", seed=seed)
            taken += len(made.actions)
            info = made.info
        if "error" in info:
            raise RuntimeError(f"{name}, seed {seed}: {info['error']}")
        if target == TARGETS[0] and env.program.inputs is not None:
            if not env.validate().ok:
                raise RuntimeError(f"{name}, seed {seed}: prints something else")
            run += 1
        env.close()
    print(f"  {target}: {taken} random decisions, none refused; {run} programs run")


def run() -> None:
    service = LocalService()
    steps(service)
    for target in TARGETS:
        compare(service, target)
    for target in TARGETS:
        check(service, target)
    service.close()
