# SPDX-License-Identifier: Apache-2.0
"""Search over pass orderings, by forking the compile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.episode import StepResult
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.policies.at_once import at_once
from mlcompiler_gym.policies.budget import Budget

#: Actions that change nothing for the better and are taken all the same, to see
#: what they make possible.
_PATIENCE = 4


@dataclass
class SearchResult:
    """The best that a search has found.

    Attributes:
        actions: They lead there from the episode's beginning.
        value: Weighted sum of the objectives, each relative to its value at the
            beginning; lower is better.
        values: Values of the objectives.
        tried: Actions taken in all, where each is measured.
        compiles: Sequences, or whole episodes, that were compiled.
        seconds: Wall-clock time that was spent.
    """

    actions: list[int] = field(default_factory=list)
    value: float = float("inf")
    values: dict[str, float] = field(default_factory=dict)
    tried: int = 0
    compiles: int = 0
    seconds: float = field(default=0.0, compare=False)


class Search:
    """What is shared by searches: a budget, randomness, and the best so far.

    Args:
        env: As the episode begins.
        info: That came with it.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        seed: Seed of the draws.
        compiles: Sequences that may be run, whole or in part; None: as long as there is
            time.
        longest: Actions that a sequence may have; None: as many as it likes. What is
            longer is not remembered.
        parallel: How many sequences are run at the same time.

    Raises:
        ValueError: There would be no end.
    """

    def __init__(
        self,
        env: CompilerEnv,
        info: dict[str, Any],
        seconds: float | None,
        seed: int | None,
        compiles: int | None = None,
        longest: int | None = None,
        parallel: int = 1,
    ) -> None:
        self.budget = Budget(compiles, seconds, parallel)
        self.env = env
        self.longest = longest
        self.rng = np.random.default_rng(seed)
        self._initial: dict[str, float] = info["objective"]
        self._weights = env.setup.scoring.weights
        self.best = SearchResult()
        self.better(env, info)

    def result(self) -> SearchResult:
        """The best that was found, with what was spent."""
        self.best.compiles = self.budget.spent
        self.best.seconds = self.budget.seconds
        return self.best

    def value(self, info: dict[str, Any]) -> float:
        """What is minimised, where a step has led to."""
        values: dict[str, float] = info["objective"]
        return sum(
            weight * values[name] / (self._initial[name] or 1.0)
            for name, weight in self._weights.items()
        )

    def better(self, env: CompilerEnv, info: dict[str, Any]) -> bool:
        """Remember where an environment stands, if nothing was better.

        Where two are as good, the one with fewer actions is better.
        """
        value = self.value(info)
        if value > self.best.value:
            return False
        actions = [cast(int, action) for action in env.trajectory.actions]
        if self.longest is not None and len(actions) > self.longest:
            return False
        if value == self.best.value and len(actions) >= len(self.best.actions):
            return False
        self.best.value = value
        self.best.actions = actions
        self.best.values = dict(info["objective"])
        return True

    def take(self, env: CompilerEnv, action: int) -> dict[str, Any] | None:
        """The info of a step; None if the compiler did not survive it."""
        return self._survived(1, env.step(action))

    def take_all(
        self, env: PassOrderingEnv, actions: Sequence[int]
    ) -> dict[str, Any] | None:
        """The info of several steps, in one request; None as for one."""
        return self._survived(len(actions), env.multistep(actions))

    def _survived(self, tried: int, result: StepResult) -> dict[str, Any] | None:
        self.best.tried += tried
        info = result[4]
        return None if "error" in info else info

    def run_each(
        self, starts: Sequence[tuple[PassOrderingEnv, Sequence[int]]]
    ) -> list[dict[str, Any] | None]:
        """Run sequences at the same time, each in a copy, and remember the best.

        Args:
            starts: Where each goes on from, and its actions from there.

        Returns:
            The infos of their last steps; None as for one.
        """
        infos: list[dict[str, Any] | None] = []
        with ExitStack() as stack:
            # A session makes one copy at a time.
            twins = [stack.enter_context(env.fork()) for env, _ in starts]
            jobs = [
                partial(twin.multistep, actions)
                for twin, (_, actions) in zip(twins, starts, strict=True)
            ]
            for twin, (_, actions), result in zip(
                twins, starts, at_once(jobs), strict=True
            ):
                self.budget.spent += 1
                info = self._survived(len(actions), result)
                if info is not None:
                    self.better(twin, info)
                infos.append(info)
        return infos

    def legal(self, env: CompilerEnv) -> list[int]:
        """Actions that may be taken now."""
        return [int(action) for action in np.flatnonzero(env.action_masks())]


def random_search(
    env: CompilerEnv,
    *,
    seconds: float | None = None,
    seed: int | None = None,
    length: int = 30,
    compiles: int | None = None,
    options: dict[str, Any] | None = None,
) -> SearchResult:
    """Sequences of random actions, each from the beginning.

    Args:
        env: A pass-ordering environment. It is reset.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        seed: Seed of the search and of ``reset``.
        length: Actions in a sequence.
        compiles: How many sequences are run; None: as many as there is time for.
        options: For ``reset``.

    Raises:
        ValueError: There is a limit neither to time nor to compiles.
    """
    _, info = env.reset(seed=seed, options=options)
    search = Search(env, info, seconds, seed, compiles)
    run_at_random(search, env, length)
    return search.result()


def run_at_random(search: Search, env: CompilerEnv, length: int = 30) -> None:
    """Take random actions in copies of where an environment stands."""
    while search.budget.room:
        search.budget.spent += 1
        with env.fork() as twin:
            for _ in range(length):
                legal = search.legal(twin)
                if search.budget.late or not legal:
                    break
                step = search.take(twin, int(search.rng.choice(legal)))
                if step is None:
                    break
                search.better(twin, step)


def greedy_search(
    env: PassOrderingEnv,
    *,
    seconds: float | None = None,
    seed: int | None = None,
    first: Sequence[int] = (),
    compiles: int | None = None,
    options: dict[str, Any] | None = None,
) -> SearchResult:
    """Try every action in a fork, take the best; start again from elsewhere.

    Where no action helps, some random ones are taken. Where that has led nowhere,
    the search begins again after a part of the best sequence known.

    Args:
        env: A pass-ordering environment. It is reset.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        seed: Seed of the search and of ``reset``.
        first: Actions that every sequence begins with.
        compiles: How many actions are tried; None: as many as there is time for.
        options: For ``reset``.

    Raises:
        ValueError: There is a limit neither to time nor to compiles.
    """
    _, info = env.reset(seed=seed, options=options)
    search = Search(env, info, seconds, seed, compiles)
    climb_again_and_again(search, env, info, first)
    return search.result()


def climb_again_and_again(
    search: Search,
    env: PassOrderingEnv,
    info: dict[str, Any],
    first: Sequence[int] = (),
) -> None:
    """What :func:`greedy_search` does, from where an environment stands.

    Args:
        search: With the budget.
        env: It is left behind the actions of ``first``.
        info: That came with it.
        first: Actions that every sequence begins with.
    """
    for action in first:
        step = search.take(env, action)
        if step is None:
            return
        search.better(env, step)
        info = step
    prefix: list[int] = []
    while search.budget.room:
        with env.fork() as start:
            at = _follow(search, start, prefix, info)
            if at is not None:
                _climb(search, start, at)
        known = search.best.actions[len(first) :]
        prefix = known[: int(search.rng.integers(len(known) + 1))]


def _follow(
    search: Search, env: PassOrderingEnv, actions: Sequence[int], info: dict[str, Any]
) -> dict[str, Any] | None:
    """Take known actions, and a random one if there are any."""
    for action in actions:
        step = search.take(env, action)
        if step is None:
            return None
        info = step
    if actions and (legal := search.legal(env)):
        return search.take(env, int(search.rng.choice(legal)))
    return info


def _climb(search: Search, env: PassOrderingEnv, info: dict[str, Any]) -> None:
    value = search.value(info)
    idle = 0
    while search.budget.room and idle < _PATIENCE:
        best: tuple[float, int] | None = None
        neutral = []
        for action, step in _children(search, env):
            reached = search.value(step)
            if reached < value and (best is None or reached < best[0]):
                best = reached, action
            elif reached == value and not step["no_effect"]:
                neutral.append(action)
        if best is not None:
            action, idle = best[1], 0
        elif neutral:
            action, idle = int(search.rng.choice(neutral)), idle + 1
        else:
            return
        taken = search.take(env, action)
        if taken is None:
            return
        value = search.value(taken)


def _children(
    search: Search, env: PassOrderingEnv
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What each action leads to, in random order, as long as there is time."""
    for actions in search.budget.batches(
        search.rng.permutation(search.legal(env)).tolist()
    ):
        infos = search.run_each([(env, [action]) for action in actions])
        for action, info in zip(actions, infos, strict=True):
            if info is not None:
                yield action, info
