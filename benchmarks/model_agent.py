# SPDX-License-Identifier: Apache-2.0
"""An agent that is paid by a performance model: does it make programs faster?

It looks for one order of passes on the training kernels: it changes one of its passes
at a time, and keeps the change if `learned_cycles` of some of the programs, each with a
profile, come to less. It sees no time. Then the kernels that are not for training are
compiled by that order and by `-Oz`, and run in turn, on an input that the profile is
not of.

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

    def learn(self, programs: Sequence[Program], rng: random.Random) -> list[int]:
        count = len(self.env.action_names)
        # As they were written down, which is near -Oz.
        order = [number % count for number in range(LENGTH)]
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
                print(
                    f"  {self.steps} passes: {np.exp(after):.3f} on {SOME}", flush=True
                )
        return order


def run() -> None:
    training = [profile(each) for each in load_programs(f"{SET}:train")]
    agent = _Agent(training)
    order = agent.learn(training, random.Random(0))
    print(f"  {agent.steps} passes run; the order: {order}")
    modelled, times, names = [], [], []
    for split in ("validation", "test"):
        for program in load_programs(f"{SET}:{split}"):
            with_profile = profile(program)
            modelled.append(float(np.exp(agent.compile(with_profile, order))))
            builds = {"order": agent.env.emit()}
            plain = gymnasium.make(
                "mlcompiler/PassOrdering-v0",
                programs=[with_profile],
                actions="default<Oz>",
            ).unwrapped
            assert isinstance(plain, PassOrderingEnv)
            plain.reset()
            plain.step(0)
            builds["Oz"] = plain.emit()
            plain.close()
            try:
                found = measure(
                    Program(
                        program.name, program.content, (program.inputs or ((),))[-1:]
                    ),
                    builds,
                    ["cpu_time"],
                    Measuring(repeats=15, most_repeats=15),
                )
            except MLCompilerGymError as error:
                print(f"  {program.name}: {error}")
                continue
            ratio = found["order"]["cpu_time"].median / found["Oz"]["cpu_time"].median
            times.append(ratio)
            names.append(program.name)
            print(f"  {program.name}: model {modelled[-1]:.3f}, time {ratio:.3f}")
    mean = geometric_mean(times, names)
    print(
        f"  time / -Oz: {mean.mean:.3f} {mean.bounds}, faster "
        f"{sum(ratio < 1 for ratio in times)} of {len(times)}; by the model "
        f"{np.exp(np.mean(np.log(modelled))):.3f}"
    )


if __name__ == "__main__":
    run()
