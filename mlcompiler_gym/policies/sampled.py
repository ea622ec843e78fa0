# SPDX-License-Identifier: Apache-2.0
"""The best of several ways in which a policy would compile a function.

``best_of_N`` of this module is such a policy, by the task's reference policy:

    mlcompiler-gym eval ... --policy mlcompiler_gym.policies.sampled:best_of_64
"""

from __future__ import annotations

import functools
import re
from typing import Any

import gymnasium

from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.policies.baselines import PolicyMaker, compiler_of
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.policies.references import reference

_NAME = re.compile(r"best_of_([1-9][0-9]*)")


class BestSample:
    """Compiles each function several times, and keeps the best.

    For tasks that decide function by function: nothing that is decided in one function
    changes another. At the first decision of a function, it is compiled as LLVM does,
    if the environment shows that, once as the policy likes most, and then with actions
    drawn by the policy's probabilities. The actions that come out best are played. So
    no function is worse than by LLVM.

    Args:
        env: The environment, with one objective that is a sum over functions.
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
        if len(self._env.setup.scoring.weights) > 1:
            raise ValueError("the best is by one objective; name a single one")
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
        with self._env.fork() as alone:
            alone.reset(options=options)
            made: list[Rollout] = []
            if alone.setup.spec.heuristic.feature in alone.setup.features.names:
                made += alone.rollouts("llvm", 1)
            made += alone.rollouts(self._policy, 1)
            made += alone.rollouts(self._policy, self._samples, seed=self._seed)
        survived = [each for each in made if "objective" in each.info]
        if not survived:
            raise ValueError(f"the compiler survives {function} in no way")
        # The first of several.
        best = min(
            survived, key=lambda each: next(iter(each.info["objective"].values()))
        )
        actions: list[int] = best.actions.tolist()
        return actions


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
