# SPDX-License-Identifier: Apache-2.0
"""The functions of some programs, as an exam for a policy of RegAllocEviction."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

import mlcompiler_gym
from mlcompiler_gym import CompilerVectorEnv, LocalService
from mlcompiler_gym.envs.choice import functions_with_decisions

gym.register_envs(mlcompiler_gym)

ENV_ID = "mlcompiler/RegAllocEviction-v0"


def make_envs(programs: Any, num_envs: int, mode: str, service: LocalService) -> Any:
    return gym.make_vec(
        ENV_ID,
        num_envs,
        programs=programs,
        function="each",
        eviction_default=True,
        interference_weights=True,
        autoreset_mode=mode,
        service=service,
    )


@dataclass(frozen=True)
class Outcome:
    """A function as a policy compiled it; scores, lower is better."""

    function: str
    heuristic: float
    policy: float

    @property
    def ratio(self) -> float:
        return self.policy / self.heuristic


def geometric_mean(outcomes: list[Outcome]) -> float:
    return float(np.exp(np.mean([np.log(o.ratio) for o in outcomes])))


def total_ratio(outcomes: list[Outcome]) -> float:
    return sum(o.policy for o in outcomes) / sum(o.heuristic for o in outcomes)


def shares(outcomes: list[Outcome]) -> list[str]:
    """How many functions are better, equal and worse, in per cent."""
    signs = [round(np.sign(o.policy - o.heuristic)) for o in outcomes]
    return [f"{signs.count(sign) / len(signs):.0%}" for sign in (-1, 0, 1)]


class Exam:
    """Functions of some programs that decisions come up in; at most so many of each."""

    def __init__(
        self, programs: list[str], service: LocalService, most: int | None = None
    ) -> None:
        setup = make_envs(programs, 1, "Disabled", service).unwrapped.setup
        self.cases = [
            {"program": program, "function": function}
            for program in setup.programs
            for function in functions_with_decisions(setup, program)[:most]
        ]
        if not self.cases:
            raise SystemExit(f"no decisions come up in {', '.join(programs)}")
        self.envs: CompilerVectorEnv = make_envs(
            programs, len(self.cases), "Disabled", service
        ).unwrapped

    def take(self, choose: Any) -> list[Outcome]:
        """Compile each function once; ``choose(observations, masks)`` decides."""
        envs = self.envs
        for index, case in enumerate(self.cases):
            only = np.arange(envs.num_envs) == index
            observations, _ = envs.reset(options={**case, "reset_mask": only})
        outcomes: dict[int, Outcome] = {}
        running = np.arange(envs.num_envs)
        while running.size:
            actions = choose(observations, envs.action_masks()[running])
            envs.send(actions, running.tolist())
            observations, _, terminated, truncated, infos = envs.recv()
            for row in np.flatnonzero(terminated):
                outcomes[running[row]] = Outcome(
                    f"{infos['program'][row]} {infos['function'][row]}",
                    infos["baseline"]["regalloc_score"][row],
                    infos["objective"]["regalloc_score"][row],
                )
            for row in np.flatnonzero(truncated):
                raise SystemExit(f"{infos['program'][row]}: {infos['error'][row]}")
            observations, running = observations[~terminated], running[~terminated]
        return [outcomes[index] for index in range(envs.num_envs)]
