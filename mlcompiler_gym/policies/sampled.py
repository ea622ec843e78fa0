# SPDX-License-Identifier: Apache-2.0
"""The best of several ways in which a policy would compile a function.

``best_of_N`` of this module is such a policy, by the task's reference policy:

    mlcompiler-gym eval ... --policy mlcompiler_gym.policies.sampled:best_of_64
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium

from mlcompiler_gym.client import block
from mlcompiler_gym.envs.engine import Engine
from mlcompiler_gym.envs.observer import View
from mlcompiler_gym.envs.rollout import PolicyData, Rollout, play_request
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.policies.baselines import PolicyMaker, compiler_of
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.policies.references import reference

#: What must not become worse than LLVM's either. A score of register allocations goes
#: by weights: a copy counts little in it, and the machine executes it all the same.
#: This counts each instruction, as often as LLVM guesses that it is executed.
YARDSTICK = "mca_cycles"

_NAME = re.compile(r"best_of_([1-9][0-9]*)")


class BestSample:
    """Compiles each function several times, and keeps the best.

    For tasks that decide function by function: nothing that is decided in one function
    changes another. At the first decision of a function, it is compiled as LLVM does,
    if the environment shows that, once as the policy likes most, and then with actions
    drawn by the policy's probabilities. The actions that come out best are played, of
    the compiles that are no worse than LLVM's by the :data:`YARDSTICK`. So no function
    is worse than by LLVM.

    Args:
        env: The environment, with one objective. The best is by the task's own
            objective if it is measured by running the program.
        seed: Seed of the drawing. The same seed plays the same.
        policy: What draws.
        samples: How many episodes of each function are drawn.

    Raises:
        ValueError: There are several objectives.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        seed: int,
        policy: PortablePolicy,
        samples: int,
    ) -> None:
        self._env = compiler_of(env)
        scoring = self._env.setup.scoring
        if len(scoring.weights) > 1:
            raise ValueError("the best is by one objective; name a single one")
        self._objective, self._setup = _with_yardstick(self._env.setup)
        self._seed = seed
        self._policy = policy
        self._samples = samples
        self._function: str | None = None
        self._actions: list[int] = []

    def __call__(self, observation: Any, info: dict[str, Any]) -> int:
        """The next action of the best compile of the function.

        Raises:
            ValueError: The task does not decide function by function.
        """
        if "no_decision" in info:
            return 0
        if "function" not in info:
            raise ValueError(
                f"{self._env.setup.config.task} does not decide function by function"
            )
        begins = not self._env.trajectory.actions
        if begins or info["function"] != self._function:
            self._function = info["function"]
            self._actions = self._best(info["function"])
        return self._actions.pop(0)

    def _best(self, function: str) -> list[int]:
        """What to answer in a function."""
        options = {"program": self._env.program, "function": function}
        alone = Engine(self._setup, self._env.stats, View(self._setup.features))
        block(alone.reset(self._env.np_random, options))
        try:
            made: list[Rollout] = []
            if self._setup.spec.heuristic.feature in self._setup.features.names:
                made += self._played(alone, "llvm")
            made += self._played(alone, self._policy)
            made += self._played(alone, self._policy, self._samples, self._seed)
        finally:
            alone.close()
        best = best_sample(
            [each.info.get("objective") for each in made],
            next((e.info["baseline"] for e in made if "baseline" in e.info), {}),
            self._objective,
        )
        if best is None:
            raise ValueError(f"the compiler survives {function} in no way")
        actions: list[int] = made[best].actions.tolist()
        return actions

    def _played(
        self, alone: Engine, policy: PolicyData, count: int = 1, seed: int | None = None
    ) -> list[Rollout]:
        request = play_request(self._setup.config.task, policy, seed)
        return block(alone.rollouts(request, False, count))


def best_sample(
    samples: Iterable[Mapping[str, float] | None],
    llvm: Mapping[str, float],
    objective: str,
) -> int | None:
    """The number of the compile that is kept.

    This is the one with the lowest objective, of the compiles that are no worse than
    LLVM's by the :data:`YARDSTICK`. If all are worse by it, it is the one with the
    lowest objective of all. The first of several equals is kept.

    Args:
        samples: What each comes to, by objective; None: the compiler did not survive.
        llvm: What LLVM's own comes to.
        objective: What the lowest is wanted of.

    Returns:
        The place among the samples, from 0 on; None if the compiler survived none.
    """
    ranks = {
        number: (values[YARDSTICK] > llvm[YARDSTICK], values[objective])
        for number, values in enumerate(samples)
        if values is not None
    }
    return min(ranks, key=ranks.__getitem__, default=None)


def _with_yardstick(setup: Setup) -> tuple[str, Setup]:
    """What samples are compared by first, and the setup in which they are made."""
    config = setup.config
    objective = (config.objectives or (setup.spec.default_objective,))[0]
    objectives = tuple(dict.fromkeys((objective, YARDSTICK)))
    config = dataclasses.replace(config, objectives=objectives, measured=())
    scoring = dataclasses.replace(setup.scoring, weights={objective: 1.0})
    return objective, dataclasses.replace(setup, config=config, scoring=scoring)


def best_of(env: gymnasium.Env[Any, Any], seed: int, *, samples: int) -> BestSample:
    """The best of so many samples of the task's reference policy, and of LLVM.

    Raises:
        PolicyError: The task has no reference policy.
    """
    return BestSample(env, seed, reference(env), samples)


def __getattr__(name: str) -> PolicyMaker:
    """The policy of a name: ``best_of_64``."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise AttributeError(f"there is no policy {name!r}; say best_of_N: best_of_64")
    return functools.partial(best_of, samples=int(parts[1]))
