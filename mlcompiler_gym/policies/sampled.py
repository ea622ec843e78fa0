# SPDX-License-Identifier: Apache-2.0
"""The best of several ways in which a policy would compile a function.

``best_of_N`` of this module is such a policy, by the task's reference policy:

    mlcompiler-gym eval ... --policy best_of_64
"""

from __future__ import annotations

import functools
from time import monotonic
from typing import Any

import gymnasium

from mlcompiler_gym.best_sample import BestOf, samples_of
from mlcompiler_gym.policies.baselines import (
    PolicyMaker,
    check_by_function,
    compiler_of,
)
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.policies.references import reference
from mlcompiler_gym.policies.search import SearchResult


class BestSample:
    """Compiles each function several times, and keeps the best.

    For tasks that decide function by function: nothing that is decided in one function
    changes another. At the first decision of a function, it is compiled as
    :class:`~mlcompiler_gym.best_sample.BestOf` says. The actions that come out best are
    played, of the compiles that are no worse than LLVM's by the
    :data:`~mlcompiler_gym.best_sample.YARDSTICK`. So no function is worse than by LLVM,
    if the environment shows LLVM's decisions.

    Args:
        env: The environment, with one objective. The best is by the task's own
            objective if it is measured by running the program.
        seed: Seed of the drawing. The same seed plays the same.
        policy: What draws.
        samples: How many compiles of each function are drawn.

    Attributes:
        found: The compiles of functions that the latest episode has taken, and their
            seconds.

    Raises:
        ValueError: There are several objectives, or the task does not decide function
            by function.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        seed: int,
        policy: PortablePolicy,
        samples: int,
    ) -> None:
        self._env = compiler_of(env)
        setup = self._env.setup
        check_by_function(self._env)
        if len(setup.scoring.weights) > 1:
            raise ValueError("the best is by one objective; name a single one")
        # The task's own objective, if what is named is measured by running the program.
        objective = (setup.config.objectives or (setup.spec.default_objective,))[0]
        self._best_of = BestOf(policy.to_bytes(), objective, samples, seed)
        self.found = SearchResult()
        self._function: str | None = None
        self._actions: list[Any] = []

    def __call__(self, observation: Any, info: dict[str, Any]) -> Any:
        """The next action of the best compile of the function.

        Raises:
            PolicyError: The policy cannot decide in this function.
            ServiceError: The compiler survives the function in no way.
        """
        if "no_decision" in info:
            return 0
        begins = not self._env.trajectory.actions
        if begins:
            self.found = SearchResult()
        if begins or info["function"] != self._function:
            self._function = info["function"]
            self._actions = self._best(info["function"])
        return self._actions.pop(0)

    def _best(self, function: str) -> list[Any]:
        """What to answer in a function."""
        setup = self._env.setup
        began = monotonic()
        kept = self._best_of.find(
            setup.service, setup.config.open_request(), self._env.program, function
        )
        self.found.compiles += kept.compiles
        self.found.seconds += monotonic() - began
        actions: list[Any] = setup.actions.decode(kept.actions).tolist()
        return actions


def best_of(env: gymnasium.Env[Any, Any], seed: int, *, samples: int) -> BestSample:
    """The best of so many samples of the task's reference policy, and of LLVM.

    Raises:
        PolicyError: The task has no reference policy.
        ValueError: See :class:`BestSample`.
    """
    return BestSample(env, seed, reference(env), samples)


def __getattr__(name: str) -> PolicyMaker:
    """The policy of a name: ``best_of_64``."""
    samples = samples_of(name)
    if samples is None:
        raise AttributeError(f"there is no policy {name!r}; say best_of_N: best_of_64")
    return functools.partial(best_of, samples=samples)
