# SPDX-License-Identifier: Apache-2.0
"""Inlining: search by other answers to calls, alone and all calls of a callee alike."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.policies.baselines import Policy
from mlcompiler_gym.policies.episode_search import (
    Decision,
    EpisodeSearch,
    Place,
    finish_each,
)

#: Decisions between two copies of the best compile that are kept to go on from.
_STRIDE = 16
#: Copies that are kept, at most.
_COPIES = 16
#: How much more it promises to keep all calls of a callee, or to inline them all, than
#: to do that with the best of them alone.
_TOGETHER = (4.0, 1.5)
#: What calls promise at least that are changed together, whatever they call.
_ALIKE = 2.0
#: Share of the changes that combinations are drawn from, on average.
_SHARE = 0.25
#: After so many combinations that have all been tried before, there are no others.
_PATIENCE = 50

#: A call: its caller, its callee, and which of the calls of the two it is.
_Call: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True)
class _Change:
    """Another answer to one or several calls.

    Attributes:
        calls: Which.
        answer: What is answered to all of them.
        promise: How much a change of such calls gains, to put changes in order.
    """

    calls: tuple[_Call, ...]
    answer: int
    promise: float = field(compare=False)

    @property
    def answers(self) -> dict[_Call, int]:
        """By call."""
        return dict.fromkeys(self.calls, self.answer)


@dataclass
class _Compile:
    """A compile in which a prior decides, except on some calls.

    Attributes:
        prior: What decides.
        given: What is answered to these calls.
        before: The compile that it changes.
        answers: What was answered, in the order in which calls came up.
        promises: By call, what the other answer promises.
        counts: How many calls came up so far, by caller and callee.
        reward: What it came to.
    """

    prior: Policy
    given: Mapping[_Call, int]
    before: _Compile | None = None
    answers: dict[_Call, int] = field(default_factory=dict)
    promises: dict[_Call, float] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reward: float = -np.inf

    def copy(self, other: _Compile, count: int) -> None:
        """Take over the first calls of another compile."""
        for call, answer in itertools.islice(other.answers.items(), count):
            self.answers[call] = answer
            self.promises[call] = other.promises[call]
            self.counts[call[:2]] += 1

    def decide(self, decision: Decision, setup: Setup) -> int:
        """What is answered to the next call."""
        caller, callee = call_of(decision.info["decision"])
        call = caller, callee, self.counts[caller, callee]
        self.counts[caller, callee] += 1
        answer = self.given.get(call)
        if answer is None:
            answer = int(self.prior(decision.observation, decision.info))
        self.answers[call] = answer
        before = self.before
        if before is not None and before.answers.get(call) == answer:
            self.promises[call] = before.promises[call]
        else:
            self.promises[call] = _promise(setup, decision.observation, answer)
        return answer

    def changes(self) -> list[_Change]:
        """What there is to change.

        That is a call, all calls of a callee that are not answered so yet, or all
        calls that are answered alike and promise the same, if they promise much.
        """
        found = []
        by_callee: dict[str, list[_Call]] = {}
        alike: dict[tuple[int, float], list[_Call]] = {}
        for call, answer in self.answers.items():
            promise = self.promises[call]
            by_callee.setdefault(call[1], []).append(call)
            alike.setdefault((1 - answer, promise), []).append(call)
            found.append(_Change((call,), 1 - answer, promise))
        for calls, answer in itertools.product(by_callee.values(), (0, 1)):
            others = [call for call in calls if self.answers[call] != answer]
            if len(others) > 1:
                best = max(self.promises[call] for call in others)
                found.append(_Change(tuple(others), answer, best * _TOGETHER[answer]))
        for (answer, promise), calls in alike.items():
            if promise >= _ALIKE and len(calls) > 1:
                found.append(_Change(tuple(calls), answer, promise * len(calls)))
        return found


class _Climb:
    """The best compile so far, copies of it on its way, and what is tried of it."""

    def __init__(self, search: EpisodeSearch) -> None:
        self._search = search
        self._root = search.root()
        self._places: dict[int, Place] = {}
        self._tried: set[tuple[Policy, frozenset[tuple[_Call, int]]]] = set()
        #: What each change has lost.
        self._lost: dict[_Change, float] = {}
        self.best = _Compile(search.prior, {})
        self._play([self.best])
        others = [_Compile(prior, {}) for prior in search.others]
        for some in search.budget.batches(others):
            self._play(some)

    def close(self) -> None:
        """End all copies."""
        self._root.close()
        self._forget(-1)

    def sweep(self, changes: Sequence[_Change]) -> None:
        """Try one change after the other, or a few at the same time."""
        todo = iter(changes)
        while width := self._search.budget.room:
            tried: list[tuple[_Change, _Compile]] = []
            while len(tried) < width and (change := next(todo, None)):
                if made := self._prepare(change.answers):
                    tried.append((change, made))
            if not tried:
                break
            before = self.best.reward
            self._play([made for _, made in tried])
            gained = []
            for change, made in tried:
                self._lost[change] = before - made.reward
                if made.reward > before:
                    gained.append(change)
            if len(gained) > 1 and self._search.budget.room:
                # None of them was compiled with the others.
                answers: dict[_Call, int] = {}
                for change in gained:
                    answers |= change.answers
                if together := self._prepare(answers):
                    self._play([together])

    def by_loss(self) -> list[_Change]:
        """The changes, those first that have lost least when they were tried."""
        return sorted(self.best.changes(), key=lambda each: self._lost.get(each, 0.0))

    def combine(self, most: int) -> None:
        """Try combinations of changes, so many at most."""
        rng, idle = self._search.rng, 0
        until = self._search.budget.spent + most
        while self._search.budget.spent < until and (width := self._search.budget.room):
            changes = self.by_loss()
            drawn: list[_Compile] = []
            while len(drawn) < width and idle < _PATIENCE:
                count = int(rng.geometric(0.5))
                places = rng.geometric(min(1 / (_SHARE * len(changes)), 1.0), count) - 1
                answers: dict[_Call, int] = {}
                for place in np.minimum(places, len(changes) - 1).tolist():
                    answers |= changes[place].answers
                made = self._prepare(answers)
                idle = 0 if made else idle + 1
                drawn += [made] if made else []
            if not drawn:
                break
            self._play(drawn)

    def _prepare(self, answers: Mapping[_Call, int]) -> _Compile | None:
        """A compile with other answers than the best.

        All other calls are answered as in the best compile. The prior decides on calls
        that did not come up there.

        Returns:
            None if it was tried before, or changes nothing.
        """
        best = self.best
        changed = {
            call: answer
            for call, answer in answers.items()
            if best.answers.get(call, answer) != answer
        }
        given = {**best.answers, **changed}
        what = best.prior, frozenset(given.items())
        if not changed or what in self._tried:
            return None
        self._tried.add(what)
        return _Compile(best.prior, given, best)

    def _play(self, compiles: Sequence[_Compile]) -> None:
        """Play compiles at the same time, and keep what is not worse."""
        setup = self._search.setup
        played = finish_each(
            [
                (self._begin(made), partial(made.decide, setup=setup))
                for made in compiles
            ]
        )
        for made, episode in zip(compiles, played, strict=True):
            made.reward = episode.reward
            made.before = None
            self._keep(made)

    def _begin(self, made: _Compile) -> Place:
        """Where a compile goes on from, with the answers before."""
        best = made.before
        if best is None:
            return self._root
        first = next(
            at
            for at, (call, answer) in enumerate(best.answers.items())
            if made.given[call] != answer
        )
        place = self._place(first)
        made.copy(best, len(place.actions))
        return place

    def _keep(self, made: _Compile) -> None:
        """What is as good is kept: the search wanders where nothing is better."""
        if made.reward < self.best.reward:
            return
        pairs = zip(made.answers.items(), self.best.answers.items(), strict=False)
        same = sum(
            1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
        )
        self._forget(same)
        self.best = made
        self._search.prior = made.prior

    def _forget(self, same: int) -> None:
        """End the copies behind what is the same in another compile."""
        for at in [at for at in self._places if at > same]:
            self._places.pop(at).close()

    def _place(self, first: int) -> Place:
        """The best compile at a decision, or at one before."""
        nearest = max((at for at in self._places if at <= first), default=0)
        place = self._places.get(nearest, self._root)
        wanted = first // _STRIDE * _STRIDE
        if wanted <= nearest or len(self._places) >= _COPIES:
            return place
        answers = list(self.best.answers.values())[nearest:wanted]
        if (ahead := place.take(*answers)) is None:
            return place
        self._places[wanted] = ahead
        return ahead


def callees(search: EpisodeSearch) -> None:
    """Inlining: change a call, or all calls of a callee alike, and keep what is better.

    A body goes only if all calls of it are inlined, so that many a gain is out of
    reach of changes to single calls. It begins with the best of what there is to begin
    with, and tries each change, the most promising first. Then it tries them once
    more, first what lost least, and draws combinations of them, by turns.

    Raises:
        ValueError: Decisions are not about calls.
    """
    task = search.setup.config.task
    if task != "inlining":
        raise ValueError(
            f"callees are changed in inlining alone; search {task} by local"
        )
    climb = _Climb(search)
    try:
        climb.sweep(sorted(climb.best.changes(), key=lambda each: -each.promise))
        spent = 0
        while search.budget.room and search.budget.spent > spent:
            spent = search.budget.spent
            climb.sweep(climb.by_loss())
            climb.combine(len(climb.best.answers))
    finally:
        climb.close()


def call_of(decision: str) -> tuple[str, str]:
    """The caller and the callee of a decision of inlining, by its name."""
    callee, _, caller = decision.partition(" -> ")
    return caller, callee


def _promise(setup: Setup, observation: Any, answer: int) -> float:
    """Bytes that the other answer to a call gains where it gains, times how often.

    It was found on pypi:train, roughly.
    """

    def shown(name: str) -> float:
        return float(setup.features.pick(observation, name).item())

    # How much more than LLVM would pay.
    margin = shown("cost_estimate") - shown("threshold")
    stays = "callee_discardable" in setup.features.names and not shown(
        "callee_discardable"
    )
    if not answer:
        if stays:
            return 1.5 if margin <= 30 else 0.2
        return 4.0 if margin <= 60 else 2.0 if margin <= 200 else 0.8
    if stays:
        return 8.0 if margin > -30 else 1.0
    # The last call of a callee seems cheaper by 15000.
    if margin < -1000:
        return 5.0
    return 2.5 if -30 < margin <= -10 else 1.0
