# SPDX-License-Identifier: Apache-2.0
"""Searches over pass orderings as policies, with a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.policies import tree_search
from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.policies.local_search import change_at_random
from mlcompiler_gym.policies.pipelines import OZ, OZ_PASSES
from mlcompiler_gym.policies.search import (
    Search,
    SearchResult,
    climb_again_and_again,
    run_at_random,
)
from mlcompiler_gym.policy_file import decode_policy
from mlcompiler_gym.reference import read_reference

#: How likely the prior takes another action than the next of what it begins with.
_DOUBT = 0.5


class OrderSearch:
    """Plays the best sequence that a search finds, and then answers None.

    It begins with the passes of ``-Oz``, if all of them are among the actions. Local
    search also tries the sequences of the reference policy, and goes on from the best.

    Args:
        env: A pass-ordering environment.
        seed: Seed of the search.
        method: What searches.
        compiles: Sequences that may be run, whole or in part; None: as many as there is
            time for.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        start: Actions to begin with instead.
        parallel: How many sequences are run at the same time.

    Attributes:
        found: What the latest search has found.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        seed: int,
        method: Callable[[OrderSearch], None],
        *,
        compiles: int | None = None,
        seconds: float | None = None,
        start: Sequence[int] | None = None,
        parallel: int = 1,
    ) -> None:
        self.env = cast(PassOrderingEnv, compiler_of(env))
        self.start = _oz_passes(self.env) if start is None else list(start)
        # What is longer would be cut off when it is played.
        longest = None if env.spec is None else env.spec.max_episode_steps
        self.start = self.start[:longest]
        #: Whether it may begin with something else, too.
        self.is_free = start is None and bool(self.start)
        self.found: SearchResult | None = None
        self._seed = seed
        self._method = method
        self._limits = seconds, seed, compiles, longest, parallel
        self._at = 0

    def __call__(self, observation: Any, info: dict[str, Any]) -> int | None:
        """The next action of the best sequence; None behind it."""
        if self.found is None:
            self.info = info
            self.search = Search(self.env, info, *self._limits)
            self._method(self)
            self.found = self.search.result()
        if self._at == len(self.found.actions):
            return None
        self._at += 1
        return self.found.actions[self._at - 1]


class _Place:
    """A module behind some actions."""

    def __init__(
        self, search: Search, env: PassOrderingEnv, info: Any, rest: Sequence[int]
    ) -> None:
        self._search = search
        self._env = env
        self._info = info
        #: What the prior goes on with.
        self._rest = rest
        self.own = rest[0] if rest else None

    def priors(self) -> NDArray[np.float64]:
        """The next action of what the search begins with is likely."""
        legal = self._env.action_masks()
        if self.own is None:
            return np.where(legal, 1 / max(int(legal.sum()), 1), 0.0)
        priors = np.where(legal, _DOUBT / max(int(legal.sum()) - 1, 1), 0.0)
        priors[self.own] = 1 - _DOUBT
        return priors

    def take(self, action: int) -> _Place | None:
        """A node behind this one; None if the compiler does not survive it."""
        twin = self._env.fork()
        info = self._search.take(twin, action)
        if info is None:
            twin.close()
            return None
        # If an action is left out or inserted, the rest stays the same.
        rest = self._rest[1:] if action == self.own else self._rest
        return _Place(self._search, twin, info, rest)

    def outcome(self) -> float:
        """The better of where it stands and of where the prior leads, as a gain."""
        search = self._search
        search.budget.spent += 1
        search.better(self._env, self._info)
        value = search.value(self._info)
        if self._rest:
            with self._env.fork() as twin:
                info = search.take_all(twin, self._rest)
                if info is not None:
                    search.better(twin, info)
                    value = min(value, search.value(info))
        return -value

    def close(self) -> None:
        """End the copy of the compile."""
        self._env.close()


def _oz_passes(env: PassOrderingEnv) -> list[int]:
    """The passes of ``-Oz`` as actions; none if some are missing."""
    names = env.action_names
    repeats = env.setup.config.options["repeats"] == "true"
    if not repeats or not set(OZ_PASSES) <= set(names):
        return []
    return [names.index(each) for each in OZ_PASSES]


def _sequences(env: PassOrderingEnv) -> list[list[int]]:
    """The sequences of the reference policy, as far as they are of these actions.

    Where ``-Oz`` as a whole is no action, its passes take its place.
    """
    names = env.action_names
    options = decode_policy(read_reference(env.task)).options
    (lines,) = (each.value.split("\n") for each in options if each.name == "actions")
    if OZ not in names:
        lines = [line.replace(OZ, ",".join(OZ_PASSES)) for line in lines]
    found = [line.split(",") for line in lines if set(line.split(",")) <= set(names)]
    return [[names.index(each) for each in sequence] for sequence in found]


def local(of: OrderSearch) -> None:
    """See :func:`~mlcompiler_gym.policies.local_search`; from the best of some."""
    best, start = math.inf, of.start
    # A search that is given what to begin with begins with that.
    sequences = [start, *_sequences(of.env)] if of.is_free else []
    for some in of.search.budget.batches(
        each[: of.search.longest] for each in sequences
    ):
        infos = of.search.run_each([(of.env, sequence) for sequence in some])
        for sequence, info in zip(some, infos, strict=True):
            if info is not None and (value := of.search.value(info)) < best:
                best, start = value, sequence
    if of.search.budget.room:
        change_at_random(of.search, of.env, of.info, start)


def greedy(of: OrderSearch) -> None:
    """See :func:`~mlcompiler_gym.policies.greedy_search`; all begin as the search."""
    with of.env.fork() as twin:
        climb_again_and_again(of.search, twin, of.info, of.start)


def random(of: OrderSearch) -> None:
    """See :func:`~mlcompiler_gym.policies.random_search`."""
    run_at_random(of.search, of.env)


def beam(of: OrderSearch) -> None:
    """:func:`~mlcompiler_gym.policies.tree_search.beam`, from the beginning."""
    tree_search.beam(_root(of), lambda: of.search.budget.room > 0)


def mcts(of: OrderSearch) -> None:
    """:func:`~mlcompiler_gym.policies.tree_search.mcts`, from the beginning."""
    tree_search.mcts(_root(of), lambda: of.search.budget.room > 0)


def _root(of: OrderSearch) -> _Place:
    return _Place(of.search, of.env.fork(), of.info, of.start)
