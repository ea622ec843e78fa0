# SPDX-License-Identifier: Apache-2.0
"""An agent that is paid by a performance model: does it make programs faster?

It looks for orders of passes on the training kernels: it changes some passes of an
order, and keeps the change if `learned_cycles` of some of the programs, each with a
profile, come to less. Every order that was kept goes into a portfolio. For a kernel
that is not for training, it takes the order of the portfolio, or `-Oz`, for which the
model predicts the least. It sees no time. Then that build and `-Oz`'s are run in turn,
on another input than the profile's.

`MODEL_AGENT_STEPS` (20000) are the passes that it may run, and `MODEL_AGENT_SET`
(kernels) the programs. `python -m benchmarks.model_agent` runs it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import gymnasium
import numpy as np

from mlcompiler_gym import PassOrderingEnv
from mlcompiler_gym.errors import MLCompilerGymError, ServiceError
from mlcompiler_gym.evaluation.statistics import geometric_mean
from mlcompiler_gym.measuring import Measuring, measure, profile
from mlcompiler_gym.programs import Program, load_programs

STEPS = int(os.environ.get("MODEL_AGENT_STEPS", "20000"))
SET = os.environ.get("MODEL_AGENT_SET", "kernels")
ACTIONS, LENGTH = "poset-manual15", 15
#: Programs that a change is tried on.
SOME = 6
OBJECTIVE = "learned_cycles"


class _Agent:
    """One order of passes, and what it comes to."""

    def __init__(self, programs: Sequence[Program]) -> None:
        env = gymnasium.make(
            "mlcompiler/PassOrdering-v0",
            programs=list(programs),
            actions=ACTIONS,
            objective=OBJECTIVE,
        ).unwrapped
        assert isinstance(env, PassOrderingEnv)
        self.env, self.steps = env, 0

    def compile(self, program: Program, order: Sequence[int]) -> float:
        """Logarithm of the objective against -Oz; infinite if LLVM does not survive."""
        self.env.reset(options={"program": program})
        self.steps += len(order)
        try:
            info = self.env.multistep(order)[4]
        except ServiceError:
            return float("inf")
        if "error" in info:
            return float("inf")
        value = info["objective"][OBJECTIVE] / self.env.baseline[OBJECTIVE]
        return float(np.log(value))

    def learn(self, programs: Sequence[Program], rng: random.Random) -> list[list[int]]:
        count = len(self.env.action_names)
        # As they were written down, which is near -Oz.
        order = [number % count for number in range(LENGTH)]
        portfolio = [order]
        known: dict[str, float] = {}  # what the order comes to, by program
        while self.steps < STEPS:
            some = rng.sample(list(programs), min(SOME, len(programs)))
            changed = list(order)
            for _ in range(rng.choice((1, 1, 2, 3))):
                changed[rng.randrange(LENGTH)] = rng.randrange(count)
            for program in some:
                if program.name not in known:
                    known[program.name] = self.compile(program, order)
            found = {each.name: self.compile(each, changed) for each in some}
            before = np.mean([known[name] for name in found])
            after = np.mean(list(found.values()))
            if after < before:
                order, known = changed, found
                portfolio.append(order)
                print(
                    f"  {self.steps} passes: {np.exp(after):.3f} on {SOME}", flush=True
                )
        return portfolio


def oz(program: Program) -> bytes:
    """The object file of -Oz."""
    env = gymnasium.make(
        "mlcompiler/PassOrdering-v0", programs=[program], actions="default<Oz>"
    ).unwrapped
    assert isinstance(env, PassOrderingEnv)
    env.reset()
    env.step(0)
    code = env.emit()
    env.close()
    return code


def measure_ratio(program: Program, code: bytes, baseline: bytes) -> float:
    """Processor time of a build over that of another, on the largest input."""
    largest = Program(program.name, program.content, (program.inputs or ((),))[-1:])
    found = measure(
        largest,
        {"order": code, "Oz": baseline},
        ["cpu_time"],
        Measuring(repeats=15, most_repeats=15),
    )
    return found["order"]["cpu_time"].median / found["Oz"]["cpu_time"].median


def run() -> None:
    training = [profile(each) for each in load_programs(f"{SET}:train")]
    agent = _Agent(training)
    portfolio = agent.learn(training, random.Random(0))
    print(f"  {agent.steps} passes run; {len(portfolio)} orders")
    modelled, times, names = [], [], []
    for split in ("validation", "test"):
        for plain in load_programs(f"{SET}:{split}"):
            program = profile(plain)
            found = {
                number: agent.compile(program, order)
                for number, order in enumerate(portfolio)
            }
            best = min(found, key=lambda number: found[number])
            try:
                # Where -Oz is the best, that is what it takes.
                ratio = 1.0
                if found[best] < 0:
                    agent.compile(program, portfolio[best])
                    ratio = measure_ratio(plain, agent.env.emit(), oz(program))
            except MLCompilerGymError as error:
                print(f"  {plain.name}: {error}")
                continue
            modelled.append(min(found[best], 0.0))
            times.append(ratio)
            names.append(plain.name)
            print(
                f"  {plain.name}: order {best}, by the model "
                f"{np.exp(modelled[-1]):.3f}, time {ratio:.3f}",
                flush=True,
            )
    mean = geometric_mean(times, names)
    print(
        f"  time / -Oz: {mean.mean:.3f} {mean.bounds}, faster "
        f"{sum(ratio < 1 for ratio in times)} of {len(times)}; by the model "
        f"{np.exp(np.mean(modelled)):.3f}"
    )


if __name__ == "__main__":
    run()
