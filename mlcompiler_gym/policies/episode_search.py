# SPDX-License-Identifier: Apache-2.0
"""Searches over the decisions of one compile, in tasks that have an end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.policies import tree_search
from mlcompiler_gym.policies.at_once import at_once
from mlcompiler_gym.policies.baselines import (
    Policy,
    cheapest,
    check_one_choice,
    compiler_of,
    heuristic,
    inactive,
    last_use,
)
from mlcompiler_gym.policies.budget import Budget
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.policies.references import reference
from mlcompiler_gym.policies.search import SearchResult
from mlcompiler_gym.policies.settings import settings_for
from mlcompiler_gym.reference import REFERENCE

#: How likely a prior takes another action than its own.
_DOUBT = 0.2
#: How likely it takes any legal action, at least, if it says so itself.
_LEAST = 0.01


@dataclass(frozen=True)
class Episode:
    """A compile that was played to its end.

    Attributes:
        reward: Sum over its steps; of one that was not survived, -infinity.
        actions: What was answered.
        values: What the objectives came to, by name.
    """

    reward: float
    actions: tuple[int, ...]
    values: Mapping[str, float]


class EpisodeSearch:
    """Plays the best that a search finds.

    It begins with LLVM's own decisions, if the environment shows them
    (``inlining_default=True`` and the like). Otherwise it begins with what is cheapest
    for now (``cheapest_action=True``), or with the decisions that leave everything as
    it is. Its end is never worse than its beginning.

    Args:
        env: An environment of discrete actions, of a task that has an end.
        seed: Seed of the search.
        method: What searches; it calls :meth:`play` or goes on from :meth:`root`.
        compiles: How many episodes may be played to their end, the first included;
            None: as many as there is time for.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        prior: What it begins with instead, and what decides where it does not. The
            probabilities of one that is data guide Monte Carlo tree search.
        parallel: How many episodes are played at the same time.

    Attributes:
        budget: What may be spent, once the search has begun.
        found: What the latest search has found; ``value`` is 1 less the reward.

    Raises:
        ValueError: Actions are numbers, or several choices at once.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        seed: int,
        method: Callable[[EpisodeSearch], None],
        *,
        compiles: int | None = None,
        seconds: float | None = None,
        prior: Policy | None = None,
        parallel: int = 1,
    ) -> None:
        compiler = compiler_of(env)
        check_one_choice(compiler)
        self.rng = np.random.default_rng(seed)
        self.found = SearchResult()
        #: The best so far.
        self.best = Episode(-np.inf, (), {})
        #: What the search begins with, and what decides where it does not.
        self.prior: Policy = (
            prior
            or _available(env, heuristic)
            or _available(env, cheapest)
            or inactive(env)
        )
        #: What else it can begin with, if the environment shows what these go by.
        self.others = [
            made for each in (last_use, _reference) if (made := _available(env, each))
        ]
        self.setup = compiler.setup
        self._env = compiler
        self._method = method
        self._limits = compiles, seconds, parallel
        self._planned = False
        self._at = 0

    def __call__(self, observation: Any, info: dict[str, Any]) -> int:
        """The next action of the best compile that was found."""
        if "no_decision" in info:
            return int(self.prior(observation, info))
        if not self._planned:
            self._search(observation, info)
        action = self.best.actions[self._at]
        self._at += 1
        return action

    def _search(self, observation: Any, info: dict[str, Any]) -> None:
        self._first = observation, info
        self.budget = Budget(*self._limits)
        self._root = self._env.fork()
        try:
            self._method(self)
        finally:
            self._root.close()
        self._planned = True
        self.found = SearchResult(
            list(self.best.actions),
            1 - self.best.reward,
            dict(self.best.values),
            compiles=self.budget.spent,
            seconds=self.budget.seconds,
        )

    def keep(self, episode: Episode) -> None:
        """Count an episode, and remember it if none was better."""
        self.budget.spent += 1
        if episode.reward > self.best.reward or not self.best.actions:
            self.best = episode

    def play(self) -> Episode:
        """Play what the search begins with."""
        return Place(self, self._root, *self._first).finish()

    def play_each(self, decides: Sequence[Decide]) -> list[Episode]:
        """Play compiles from the first decision, at the same time.

        Args:
            decides: What each answers.
        """
        place = Place(self, self._root, *self._first)
        return finish_each([(place, each) for each in decides])

    def change_each(
        self, actions: Sequence[int], changes: Sequence[Collection[int]]
    ) -> list[Episode]:
        """Play compiles that answer as another one did, except at some places.

        Args:
            actions: What the other one answered. Where an action is not legal, and
                after the last, what the search begins with is answered.
            changes: The places of each compile where any other legal action is taken.
        """

        def answer(
            rng: np.random.Generator, changed: Collection[int], decision: Decision
        ) -> int:
            place, legal = decision.number, decision.legal
            if place < len(actions) and actions[place] in legal:
                action = actions[place]
            else:
                action = decision.own
            others = legal[legal != action]
            if place in changed and len(others):
                action = int(rng.choice(others))
            return action

        return self.play_each(
            [
                partial(answer, rng, changed)
                for rng, changed in zip(self.rngs(len(changes)), changes, strict=True)
            ]
        )

    def rngs(self, count: int) -> list[np.random.Generator]:
        """What compiles that are played at the same time draw from.

        Which of them draws first is left to chance, so that they must not share one.
        """
        return [self.rng] if count == 1 else self.rng.spawn(count)

    def root(self) -> Place:
        """The first decision."""
        return Place(self, self._root.fork(), *self._first)


@dataclass(frozen=True)
class Decision:
    """A decision that comes up.

    Attributes:
        number: How many were decided before.
        observation: What the environment shows.
        info: What came with it.
        prior: What the search begins with.
        env: Where it comes up.
    """

    number: int
    observation: Any
    info: dict[str, Any]
    prior: Policy
    env: CompilerEnv

    @property
    def legal(self) -> NDArray[np.int64]:
        """Which actions are, in ascending order, int64 of shape (n,)."""
        return np.flatnonzero(self.env.action_masks())

    @property
    def own(self) -> int:
        """What the search would begin with."""
        return int(self.prior(self.observation, self.info))


#: What to answer to a decision.
Decide: TypeAlias = Callable[[Decision], int]


class Place:
    """A compile that stands at a decision, or at its end: a node of a tree.

    Attributes:
        actions: What has been answered.
        own: What the search would begin with here; None at the end.
    """

    def __init__(
        self,
        search: EpisodeSearch,
        env: CompilerEnv,
        observation: Any,
        info: dict[str, Any],
        actions: tuple[int, ...] = (),
        reward: float = 0.0,
        over: bool = False,
    ) -> None:
        self._search = search
        self._env = env
        self._info = info
        self._observation = observation
        self.actions = actions
        self._reward = reward
        self._over = over
        self.own = None if over else int(search.prior(observation, info))

    def priors(self) -> NDArray[np.float64]:
        """Probabilities from a prior that is data; another prior's action is likely."""
        if self.own is None:
            return np.zeros(self._env.setup.actions.flags)
        legal = self._env.action_masks()
        prior = self._search.prior
        if isinstance(prior, PortablePolicy) and not prior.builtin:
            return _probabilities(prior, self._observation, legal)
        others = max(int(legal.sum()) - 1, 1)
        priors = np.where(legal, _DOUBT / others, 0.0)
        priors[self.own] = 1 - _DOUBT
        return priors

    def take(self, *actions: int) -> Place | None:
        """A place behind this one; None if the compiler does not survive it."""
        twin = self._env.fork()
        paid = self._reward
        for action in actions:
            # What it shows is its own, and overwritten by its next step.
            observation, reward, terminated, truncated, info = twin.step(action)
            paid += float(reward)
        if "error" in info:
            twin.close()
            return None
        return Place(
            self._search,
            twin,
            observation,
            info,
            self.actions + actions,
            paid,
            terminated or truncated,
        )

    def finish(self) -> Episode:
        """Let what the search begins with decide the rest, in a copy."""
        (episode,) = finish_each([(self, lambda decision: decision.own)])
        return episode

    def fork(self) -> CompilerEnv:
        """A copy of the compile."""
        return self._env.fork()

    def play(self, twin: CompilerEnv, decide: Decide) -> Episode:
        """Play a copy of the compile to its end."""
        total, taken = self._reward, list(self.actions)
        observation, info, over = self._observation, self._info, self._over
        while not over:
            decision = Decision(len(taken), observation, info, self._search.prior, twin)
            action = decide(decision)
            observation, reward, terminated, truncated, info = twin.step(action)
            taken.append(action)
            total += float(reward)
            over = terminated or truncated
        # A compile that was not survived is worse than any other.
        reward = -np.inf if "error" in info else total
        return Episode(reward, tuple(taken), info.get("objective", {}))

    def keep(self, episode: Episode) -> None:
        """Count an episode that went on from here as a compile."""
        self._search.keep(episode)

    def outcome(self) -> float:
        """The reward if the prior decides the rest."""
        return self.finish().reward

    def close(self) -> None:
        """End the copy of the compile."""
        self._env.close()


def finish_each(compiles: Sequence[tuple[Place, Decide]]) -> list[Episode]:
    """Play compiles to their end at the same time, each in a copy.

    Args:
        compiles: Where each goes on from, and what it answers.
    """
    with ExitStack() as stack:
        # A session makes one copy at a time.
        jobs = [
            partial(place.play, stack.enter_context(place.fork()), decide)
            for place, decide in compiles
        ]
        episodes = at_once(jobs)
    for (place, _), episode in zip(compiles, episodes, strict=True):
        place.keep(episode)
    return episodes


def _probabilities(
    policy: PortablePolicy, observation: Any, legal: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How likely a policy takes each action, none that is legal less than a little."""
    if isinstance(observation, Mapping):
        rows: Any = {name: np.asarray(each)[None] for name, each in observation.items()}
    else:
        rows = np.asarray(observation)[None]
    logits = policy.outputs(rows)[0]
    if len(logits) == 1:
        logits = np.array([0.0, logits[0]])
    shares = np.where(legal, np.exp(logits - logits[legal].max()), 0.0)
    shares /= shares.sum()
    return np.where(legal, np.maximum(shares, _LEAST), 0.0)


def _available(
    env: gymnasium.Env[Any, Any], make: Callable[[gymnasium.Env[Any, Any]], Policy]
) -> Policy | None:
    """A policy, if the environment shows enough for it."""
    try:
        return make(env)
    except ValueError:
        return None


def _reference(env: gymnasium.Env[Any, Any]) -> PortablePolicy:
    """The reference policy of the task.

    Raises:
        ValueError: The environment does not show what it decides from.
    """
    try:
        missing = settings_for(env, REFERENCE)
    except PolicyError as error:
        raise ValueError(str(error)) from error
    if missing:
        raise ValueError(f"make the environment with {missing}")
    return reference(env)


def local(search: EpisodeSearch) -> None:
    """Change some answers at random, and keep what is not worse."""
    best = search.play()
    while width := search.budget.room:
        changes = []
        for _ in range(width):
            count = min(int(search.rng.geometric(0.5)), len(best.actions))
            places = search.rng.choice(len(best.actions), count, replace=False)
            changes.append(set(places.tolist()))
        for tried in search.change_each(best.actions, changes):
            if tried.reward >= best.reward:
                best = tried
    search.best = best


def greedy(search: EpisodeSearch) -> None:
    """Change one answer after the other, in order, and keep what is better."""
    best, place = search.play(), 0
    while (width := search.budget.room) and place < len(best.actions):
        places = range(place, min(place + width, len(best.actions)))
        for tried in search.change_each(best.actions, [{each} for each in places]):
            place += 1
            if tried.reward > best.reward:
                # The compiles behind it were without its change, and come again.
                best = tried
                break
    search.best = best


def random(search: EpisodeSearch) -> None:
    """Answer at random, each time from the beginning; something to compare with."""
    search.play()

    def draw(rng: np.random.Generator, decision: Decision) -> int:
        return int(rng.choice(decision.legal))

    while width := search.budget.room:
        search.play_each([partial(draw, rng) for rng in search.rngs(width)])


def beam(search: EpisodeSearch) -> None:
    """:func:`~mlcompiler_gym.policies.tree_search.beam`, from the first decision."""
    tree_search.beam(search.root(), lambda: search.budget.room > 0)


def mcts(search: EpisodeSearch) -> None:
    """:func:`~mlcompiler_gym.policies.tree_search.mcts`, from the first decision."""
    tree_search.mcts(search.root(), lambda: search.budget.room > 0)
