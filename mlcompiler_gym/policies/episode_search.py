# SPDX-License-Identifier: Apache-2.0
"""Searches over the decisions of one compile, in tasks that have an end."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import tree_search
from mlcompiler_gym.policies.baselines import (
    Policy,
    check_one_choice,
    compiler_of,
    heuristic,
    inactive,
    last_use,
)
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.policies.search import SearchResult

#: How likely a prior takes another action than its own.
_DOUBT = 0.2
#: How likely it takes any legal action, at least, if it says so itself.
_LEAST = 0.01
#: How often all calls of a callee are changed, once each callee has been tried.
_WHOLE = 0.3


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
    (``inlining_default=True`` and the like). Otherwise it begins with the decisions
    that leave everything as it is. Its end is never worse than its beginning.

    Args:
        env: An environment of discrete actions, of a task that has an end.
        seed: Seed of the search.
        method: What searches; it calls :meth:`play` or goes on from :meth:`root`.
        compiles: How many episodes may be played to their end, the first included;
            None: as many as there is time for.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        prior: What it begins with instead, and what decides where it does not. The
            probabilities of one that is data guide Monte Carlo tree search.

    Attributes:
        spent: How many episodes have been played to their end.
        found: What the latest search has found; ``value`` is 1 less the reward.

    Raises:
        TypeError: Actions are numbers, or several choices at once.
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
    ) -> None:
        compiler = compiler_of(env)
        check_one_choice(compiler)
        self.rng = np.random.default_rng(seed)
        self.spent = 0
        self.found = SearchResult()
        #: The best so far.
        self.best = Episode(-np.inf, (), {})
        #: What the search begins with, and what decides where it does not.
        self.prior: Policy = prior or _available(env, heuristic) or inactive(env)
        #: The rule ``last_use``, if the environment shows what it goes by.
        self.rule = _available(env, last_use)
        #: Name of the task.
        self.task = compiler.task
        self._env = compiler
        self._method = method
        self._compiles = compiles
        self._seconds = seconds
        self._until: float | None = None
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
        began = monotonic()
        if self._seconds is not None:
            self._until = began + self._seconds
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
            compiles=self.spent,
            seconds=monotonic() - began,
        )

    def left(self) -> bool:
        """Whether there is another compile to spend; of the first there always is."""
        if not self.spent:
            return True
        if self._compiles is not None and self.spent >= self._compiles:
            return False
        return self._until is None or monotonic() < self._until

    def keep(self, episode: Episode) -> None:
        """Count an episode, and remember it if none was better."""
        self.spent += 1
        if episode.reward > self.best.reward or not self.best.actions:
            self.best = episode

    def play(
        self,
        actions: Sequence[int] = (),
        changed: Collection[int] = (),
        decide: Callable[[CompilerEnv, int], int] | None = None,
    ) -> Episode:
        """Play one compile from the first decision.

        Args:
            actions: What to answer, as long as it is legal; else, and behind them,
                what the search begins with.
            changed: Places where any other legal action is taken.
            decide: Instead: from the environment at a decision, and what the search
                would begin with, to what to answer.
        """
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
                    action = int(self.prior(observation, info))
                others = legal[legal != action]
                if place in changed and len(others):
                    action = int(self.rng.choice(others))
                if decide is not None:
                    action = decide(twin, action)
                observation, reward, terminated, truncated, info = twin.step(action)
                taken.append(action)
                total += float(reward)
                over = terminated or truncated
        # A compile that was not survived is worse than any other.
        reward = -np.inf if "error" in info else total
        episode = Episode(reward, tuple(taken), info.get("objective", {}))
        self.keep(episode)
        return episode

    def root(self) -> _Place:
        """The first decision, as a node of a tree."""
        return _Place(self, self._root.fork(), *self._first)


class _Place:
    """A compile that stands at a decision, or at its end."""

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
        self._actions = actions
        self._reward = reward
        self._over = over
        self.own = None if over else int(search.prior(observation, info))

    def priors(self) -> NDArray[np.float64]:
        """As likely as a prior that is data has it; else its own action is likely."""
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

    def take(self, action: int) -> _Place | None:
        """A node behind this one; None if the compiler does not survive it."""
        twin = self._env.fork()
        # What it shows is its own, and overwritten by its next step.
        observation, reward, terminated, truncated, info = twin.step(action)
        if "error" in info:
            twin.close()
            return None
        return _Place(
            self._search,
            twin,
            observation,
            info,
            (*self._actions, action),
            self._reward + float(reward),
            terminated or truncated,
        )

    def outcome(self) -> float:
        """The reward if the prior decides the rest."""
        total, actions, info = self._reward, list(self._actions), self._info
        if not self._over:
            prior = self._search.prior
            with self._env.fork() as twin:
                observation, over = self._observation, False
                while not over:
                    actions.append(int(prior(observation, info)))
                    step = twin.step(actions[-1])
                    observation, reward, terminated, truncated, info = step
                    total += float(reward)
                    over = terminated or truncated
        reward = -np.inf if "error" in info else total
        self._search.keep(Episode(reward, tuple(actions), info.get("objective", {})))
        return reward

    def close(self) -> None:
        """End the copy of the compile."""
        self._env.close()


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


def local(search: EpisodeSearch) -> None:
    """Change some answers at random, and keep what is not worse."""
    best = search.play()
    while search.left():
        count = min(int(search.rng.geometric(0.5)), len(best.actions))
        places = search.rng.choice(len(best.actions), count, replace=False)
        tried = search.play(best.actions, set(places.tolist()))
        if tried.reward >= best.reward:
            best = tried
    search.best = best


def greedy(search: EpisodeSearch) -> None:
    """Change one answer after the other, in order, and keep what is better."""
    best, place = search.play(), 0
    while search.left() and place < len(best.actions):
        tried = search.play(best.actions, {place})
        if tried.reward > best.reward:
            best = tried
        place += 1
    search.best = best


def random(search: EpisodeSearch) -> None:
    """Answer at random, each time from the beginning; something to compare with."""
    search.play()

    def draw(env: CompilerEnv, _: int) -> int:
        return int(search.rng.choice(np.flatnonzero(env.action_masks())))

    while search.left():
        search.play(decide=draw)


def beam(search: EpisodeSearch) -> None:
    """:func:`~mlcompiler_gym.policies.tree_search.beam`, from the first decision."""
    tree_search.beam(search.root(), search.left)


def mcts(search: EpisodeSearch) -> None:
    """:func:`~mlcompiler_gym.policies.tree_search.mcts`, from the first decision."""
    tree_search.mcts(search.root(), search.left)


#: A call: its caller, its callee, and which of the calls of the two it is.
_Call = tuple[str, str, int]


class _Answers:
    """Answers to calls, and what the search begins with to all others."""

    def __init__(self, given: Mapping[_Call, int]) -> None:
        self.given = dict(given)
        #: The calls that came up, in order, and what was answered.
        self.calls: list[tuple[_Call, int]] = []
        self._counts: dict[tuple[str, str], int] = {}

    def __call__(self, env: CompilerEnv, own: int) -> int:
        decision = json.loads(str(env.observe("decision")["decision"]))
        pair = decision["caller"], decision["callee"]
        count = self._counts[pair] = self._counts.get(pair, -1) + 1
        call = (*pair, count)
        answer = self.given.get(call, own)
        self.calls.append((call, answer))
        return answer


def callees(search: EpisodeSearch) -> None:
    """Inlining: change a call, or all calls of a callee alike, and keep what is better.

    A body goes only if all calls of it are inlined, so that many a gain is out of
    reach of changes to single calls. It begins with the better of LLVM's decisions
    and the rule ``last_use``, if the environment shows what the rule goes by, and
    tries each callee before it draws calls and callees.

    Raises:
        ValueError: Decisions are not about calls.
    """
    if search.task != "inlining":
        raise ValueError(
            f"callees are changed in inlining alone; search {search.task} by local"
        )
    best = _Answers({})
    reward = search.play(decide=best).reward
    if search.rule is not None and search.left():
        prior, search.prior = search.prior, search.rule
        tried = _Answers({})
        if (found := search.play(decide=tried).reward) >= reward:
            best, reward = tried, found
        else:
            search.prior = prior
    waiting = list(dict.fromkeys(call[1] for call, _ in best.calls))
    while search.left() and best.calls:
        if waiting:
            callee, whole = waiting.pop(0), True
            places = [n for n, (call, _) in enumerate(best.calls) if call[1] == callee]
            if not places:
                # It is not called any more.
                continue
            place = places[0]
        else:
            place = int(search.rng.integers(len(best.calls)))
            whole = bool(search.rng.random() < _WHOLE)
        tried = _Answers(best.given | _changed(best, place, whole))
        # What is as good is kept: the search wanders where nothing is better nearby.
        if (found := search.play(decide=tried).reward) >= reward:
            best, reward = tried, found


def _changed(answers: _Answers, place: int, whole: bool) -> dict[_Call, int]:
    """Other answers to a call, or to all of the same callee that came up."""
    call, answer = answers.calls[place]
    if not whole:
        return {call: 1 - answer}
    return {each: 1 - answer for each, _ in answers.calls if each[1] == call[1]}
