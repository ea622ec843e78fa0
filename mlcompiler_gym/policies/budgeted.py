# SPDX-License-Identifier: Apache-2.0
"""Search over the decisions of one compile, with so many compiles and no more.

As policies, so that an evaluation plays them: the search is done by forks at the first
decision of an episode, and what it has found is then played.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies.baselines import (
    Policy,
    check_one_choice,
    heuristic,
    inactive,
)


@dataclass(frozen=True)
class _Played:
    """A compile that was played to its end.

    Attributes:
        reward: Sum over its steps.
        actions: What was answered.
    """

    reward: float
    actions: tuple[int, ...]


class BudgetedSearch:
    """Plays the best that a search finds.

    It begins with LLVM's own decisions, if the environment shows them
    (``inlining_default=True`` and the like). Otherwise it begins with the decisions
    that leave everything as it is.

    Args:
        env: An environment of discrete actions, of a task that has an end.
        seed: Seed of the search.
        compiles: How many episodes may be played to their end, the first included.
        method: What searches.

    Attributes:
        spent: How many have been.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        seed: int,
        compiles: int,
        method: Callable[[BudgetedSearch], _Played],
    ) -> None:
        compiler = env.unwrapped
        if not isinstance(compiler, CompilerEnv):
            raise TypeError(f"env must be an environment of a compiler, not {env}")
        check_one_choice(compiler)
        self.rng = np.random.default_rng(seed)
        self.spent = 0
        self._env = compiler
        self._compiles = compiles
        self._method = method
        self._own = _starting_point(env)
        self._plan: tuple[int, ...] | None = None
        self._at = 0

    def __call__(self, observation: Any, info: dict[str, Any]) -> int:
        """The next action of the best compile that was found."""
        if "no_decision" in info:
            return int(self._own(observation, info))
        if self._plan is None:
            self._first = observation, info
            self._root = self._env.fork()
            try:
                self._plan = self._method(self).actions
            finally:
                self._root.close()
        action = self._plan[self._at]
        self._at += 1
        return action

    @property
    def left(self) -> bool:
        """Whether there is another compile to spend."""
        return self.spent < self._compiles

    def play(
        self, actions: Sequence[int] = (), changed: Collection[int] = ()
    ) -> _Played:
        """Play one compile from the first decision.

        Args:
            actions: What to answer, as long as it is legal; else, and behind them,
                what the search begins with.
            changed: Places where any other legal action is taken.
        """
        self.spent += 1
        observation, info = self._first
        taken: list[int] = []
        total, over = 0.0, False
        with self._root.fork() as twin:
            while not over:
                legal = np.flatnonzero(twin.action_masks())
                place = len(taken)
                if place < len(actions) and actions[place] in legal:
                    action = actions[place]
                else:
                    action = int(self._own(observation, info))
                others = legal[legal != action]
                if place in changed and len(others):
                    action = int(self.rng.choice(others))
                observation, reward, terminated, truncated, info = twin.step(action)
                taken.append(action)
                total += float(reward)
                over = terminated or truncated
        # A compile that was not survived is worse than any other.
        return _Played(-np.inf if "error" in info else total, tuple(taken))


def _starting_point(env: gymnasium.Env[Any, Any]) -> Policy:
    try:
        return heuristic(env)
    except ValueError:
        return inactive(env)


def _local(search: BudgetedSearch) -> _Played:
    """Change some answers at random, and keep what is not worse."""
    best = search.play()
    while search.left:
        count = min(int(search.rng.geometric(0.5)), len(best.actions))
        places = search.rng.choice(len(best.actions), count, replace=False)
        tried = search.play(best.actions, set(places.tolist()))
        if tried.reward >= best.reward:
            best = tried
    return best


def _greedy(search: BudgetedSearch) -> _Played:
    """Change one answer after the other, in order, and keep what is better."""
    best, place = search.play(), 0
    while search.left and place < len(best.actions):
        tried = search.play(best.actions, {place})
        if tried.reward > best.reward:
            best = tried
        place += 1
    return best


def _search(
    env: gymnasium.Env[Any, Any],
    seed: int,
    *,
    compiles: int,
    method: Callable[[BudgetedSearch], _Played],
) -> BudgetedSearch:
    return BudgetedSearch(env, seed, compiles, method)


#: From an environment, a seed and a number of compiles to a local search.
local = functools.partial(_search, method=_local)

#: For ``mlcompiler-gym eval --policy mlcompiler_gym.policies.budgeted:local_100``.
local_10 = functools.partial(_search, compiles=10, method=_local)
local_100 = functools.partial(_search, compiles=100, method=_local)
local_1000 = functools.partial(_search, compiles=1000, method=_local)
greedy_10 = functools.partial(_search, compiles=10, method=_greedy)
greedy_100 = functools.partial(_search, compiles=100, method=_greedy)
greedy_1000 = functools.partial(_search, compiles=1000, method=_greedy)
