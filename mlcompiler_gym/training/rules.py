# SPDX-License-Identifier: Apache-2.0
"""Rules for where to deviate from a base policy, which a person can read.

Labels by fork propose them, and whole episodes dispose: what each of many deviations
saves by itself is not what all of them save together. A rule bounds one number, among
the decisions of a kind; a kind is what one or two features with few values say. A rule
has so little freedom that a few thousand labels are enough.

Where the base policy itself deviates from LLVM, it is followed only for kinds that
there are labels of. Nothing is known of other kinds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.policies.export.build import finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.training.counterfactual import places_of, savings_of
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.v1 import policy_pb2 as pb

#: A feature that can have more values is a number, and bounded.
_FEW = 4
#: A rule is not tried if it shares more of its labels than this with a tried one.
_ALIKE = 0.75
#: What a tree adds so that it outweighs the base policy, which adds 1 or -1.
_OUTWEIGHS = 2.0


@dataclass(frozen=True)
class RulesSettings:
    """How rules are found.

    Attributes:
        base: What they deviate from: ``"llvm"``, or a rule of the task.
        decisions: How many are labelled of a program, at most.
        callees: Whether a label is of all calls of a callee, in inlining.
        clip: A saving counts as at most this much, or as at least its negative.
        losses: Share of the labels of a rule that may lose by it.
        support: Labels that a rule is drawn from, at least.
        packages: Packages that they are of, at least.
        given: Rules that are tried first, before what labels propose. Each is a
            table of ``action``, what the base policy takes there, and ``bounds``: by
            feature, what it is more than, and what it is at most.
        proposals: Rules that are tried in episodes, at most.
        trial: Programs that a rule is tried on, at most.
        worsened: Share of the programs that a rule changes which may become larger.
        worst: By how much a program may become larger by a rule; 0.01 is 1%.
        counts: Numbers of rules, of which the best is chosen; in descending
            order. With 0, the policy is the base.
        worse: Share of programs that may come out worse than by LLVM. Counts with
            which more do are not chosen, if there is another.
        folds: Parts that the packages are split into.
        seed: Seed of the decisions that are labelled, and of the split into folds.
    """

    base: str = "llvm"
    decisions: int = 24
    callees: bool = False
    clip: float = 40.0
    losses: float = 0.1
    support: int = 8
    packages: int = 3
    given: tuple[Mapping[str, Any], ...] = ()
    proposals: int = 24
    trial: int = 32
    worsened: float = 0.1
    worst: float = 0.01
    counts: tuple[int, ...] = (8, 0)
    worse: float = 0.05
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.counts or list(self.counts) != sorted(self.counts, reverse=True):
            raise TrainingError(f"counts are in descending order, not {self.counts}")
        if min(self.counts) < 0 or self.support < 1 or self.packages < 1:
            raise TrainingError("counts, support and packages are no negative numbers")
        if self.folds < 2:
            raise TrainingError(f"there must be two folds or more, not {self.folds}")


@dataclass(frozen=True)
class Bound:
    """What an element of the features has to be.

    Attributes:
        element: Which one.
        low: It is more than this.
        high: It is this at most.
    """

    element: int
    low: float = -np.inf
    high: float = np.inf

    def holds(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where it is, of shape (n,)."""
        values = features[:, self.element]
        held: NDArray[np.bool_] = (values > self.low) & (values <= self.high)
        return held


@dataclass(frozen=True)
class Rule:
    """Where the other action is taken than the base policy takes.

    Attributes:
        action: What the base policy takes.
        bounds: What all has to hold.
        score: What it saves in the labels that it is drawn from.
        rows: These labels.
    """

    action: int
    bounds: tuple[Bound, ...]
    score: float
    rows: NDArray[np.intp]

    def holds(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where all bounds do, of shape (n,)."""
        held = np.ones(len(features), np.bool_)
        for bound in self.bounds:
            held &= bound.holds(features)
        return held


#: Says of a policy with one rule more than another policy whether to keep the rule.
Pays: TypeAlias = Callable[[PortablePolicy, PortablePolicy, Rule], bool]


class Rules:
    """Rules that labels call for, from which policies with more or fewer come.

    Args:
        labels: Labels of a task with two actions.
        env: The environment that they are of; it shows what the base policy goes by.
        settings: How they are found. The same labels, in any order, and the same
            settings give the same policies, byte for byte.
        pays: Tries each.

    Raises:
        TrainingError: The labels are not of such a task.
    """

    def __init__(
        self, labels: Labels, env: Any, settings: RulesSettings, pays: Pays
    ) -> None:
        order = np.lexsort((labels.decisions, labels.programs))
        labels = labels[order]
        labels = labels[~np.isnan(savings_of(labels))]
        self._inputs = Inputs(env)
        self._seen = labels.features
        messages = self._inputs.messages()
        self._base = places_of(env, settings.base, messages)
        taken = np.any(labels.features[:, self._base] > 0, axis=1)
        savings = np.where(taken, -1, 1) * savings_of(labels)
        self._savings = np.clip(savings, -settings.clip, settings.clip)
        self._taken, self._settings = taken, settings
        self._few = _kinds_of(env)
        self._abstains = self._unknown(env)
        _, self._packages = np.unique(labels.packages, return_inverse=True)
        #: The rules that pay, in the order in which they were found.
        self.found: list[Rule] = []
        proposed = itertools.chain(self._given(), self._search())
        for rule in itertools.islice(proposed, settings.proposals):
            if pays(self._made(self.found), self._made([*self.found, rule]), rule):
                self.found.append(rule)

    def policy(self, count: int) -> PortablePolicy:
        """The base policy with the first so many rules."""
        return self._made(self.found[:count])

    def _made(self, rules: list[Rule]) -> PortablePolicy:
        trees = pb.Trees(base=[-1.0])
        _add(trees, [[Bound(place, 0.5)] for place in self._base], _OUTWEIGHS)
        for each in (*self._abstains, *rules):
            way = _OUTWEIGHS if each.action == 0 else -_OUTWEIGHS
            _add(trees, [list(each.bounds)], way)
        return finish(self._inputs, pb.Model(trees=trees), 1, seen=self._seen)

    def _unknown(self, env: Any) -> list[Rule]:
        """Kinds that no label is of where the base policy deviates from LLVM."""
        places = places_of(env, "llvm", self._inputs.messages())
        if not places:
            return []  # LLVM always takes action 0, and there is no other base.
        [llvm] = places
        answered = self._seen[:, llvm] > 0
        found = []
        for action in (0, 1):
            deviates = self._seen[(self._taken == action) & (answered != action)]
            if not len(deviates):
                continue
            answer = Bound(llvm, high=0.5) if action else Bound(llvm, 0.5)
            for element, low, high in self._few:
                if element in self._base:
                    continue
                values = deviates[:, element]
                least, most = float(values.min()), float(values.max())
                outside = []
                if least > low:
                    outside.append(Bound(element, high=least - 0.5))
                if most < high:
                    outside.append(Bound(element, low=most + 0.5))
                found += [
                    Rule(action, (answer, each), 0.0, np.zeros(0, np.intp))
                    for each in outside
                ]
        return found

    def _given(self) -> Iterator[Rule]:
        """The rules that the settings name."""
        places, place = {}, 0
        for each in self._inputs.messages():
            if each.elements == 1:
                places[each.feature] = place
            place += each.elements
        for given in self._settings.given:
            try:
                action = (0, 1).index(given["action"])
                bounds = tuple(
                    Bound(places[name], float(low), float(high))
                    for name, (low, high) in given["bounds"].items()
                )
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise TrainingError(
                    "a given rule has an action, 0 or 1, and bounds, [low, high] by "
                    f"the name of a feature that is shown; this is none: {given}"
                ) from error
            rule = Rule(action, bounds, 0.0, np.zeros(0, np.intp))
            held = rule.holds(self._seen) & (self._taken == action)
            score = float(self._savings[held].sum())
            yield Rule(action, bounds, score, np.flatnonzero(held))

    def _search(self) -> Iterator[Rule]:
        """Rules by what they save, each of other labels than the ones before."""
        every = [
            rule
            for kind, held in self._kinds()
            for action in (0, 1)
            for rule in self._of_kind(
                action, kind, np.flatnonzero((self._taken == action) & held)
            )
        ]
        every.sort(key=lambda rule: (-rule.score, len(rule.bounds)))
        tried: list[Rule] = []
        for rule in every:
            if not any(_alike(rule, other) for other in tried):
                tried.append(rule)
                yield rule

    def _kinds(self) -> Iterator[tuple[tuple[Bound, ...], NDArray[np.bool_]]]:
        """Kinds of decisions, and which decisions are of them; the simplest first."""
        yield (), np.ones(len(self._seen), np.bool_)
        single = []
        for element, _, _ in self._few:
            values = np.unique(self._seen[:, element])
            ends = [-np.inf, *((values[1:] + values[:-1]) / 2).tolist(), np.inf]
            for low, high in itertools.pairwise(ends):
                bound = Bound(element, low, high)
                single.append((bound, bound.holds(self._seen)))
        for bound, held in single:
            yield (bound,), held
        for (one, held), (other, also) in itertools.combinations(single, 2):
            both = held & also
            if one.element != other.element and both.sum() < min(
                held.sum(), also.sum()
            ):
                yield (one, other), both

    def _of_kind(
        self, action: int, kind: tuple[Bound, ...], rows: NDArray[np.intp]
    ) -> Iterator[Rule]:
        """A rule for each number and side, if it saves anything in a kind."""
        if len(rows) < self._settings.support:
            return
        for element in range(self._seen.shape[1]):
            order = np.argsort(self._seen[rows, element], kind="stable")
            for bound, within in self._bounds(element, rows[order]):
                if rule := self._scored(action, (*kind, bound), within):
                    yield rule

    def _bounds(
        self, element: int, rows: NDArray[np.intp]
    ) -> Iterator[tuple[Bound, NDArray[np.intp]]]:
        """From below and from above, the bound with the largest sum of savings.

        Args:
            element: What is bounded.
            rows: In its ascending order.
        """
        values = self._seen[rows, element].astype(np.float64)
        ends = np.flatnonzero(values[1:] > values[:-1]) + 1
        if not len(ends):
            return
        middles = (values[ends] + values[ends - 1]) / 2
        savings = self._savings[rows]
        for below in (True, False):
            sums = _sums(savings, ends, below)
            losses = _sums((savings < 0).astype(np.float64), ends, below)
            counts = ends if below else len(rows) - ends
            fits = counts >= self._settings.support
            fits &= losses <= self._settings.losses * counts
            if not fits.any():
                continue
            at = int(np.argmax(np.where(fits, sums, -np.inf)))
            if below:
                yield Bound(element, high=float(middles[at])), rows[: ends[at]]
            else:
                yield Bound(element, low=float(middles[at])), rows[ends[at] :]

    def _scored(
        self, action: int, bounds: tuple[Bound, ...], rows: NDArray[np.intp]
    ) -> Rule | None:
        """A rule; None if it saves nothing without the package where it saves most."""
        sums = np.bincount(self._packages[rows], self._savings[rows])
        if len(np.unique(self._packages[rows])) < self._settings.packages:
            return None
        if sums.sum() <= sums.max():
            return None
        return Rule(action, bounds, float(sums.sum()), rows)


def _kinds_of(env: Any) -> list[tuple[int, float, float]]:
    """Elements that can have few values, as the task declares, and the range."""
    found, place = [], 0
    setup = compiler_of(env).setup
    declared = {each.name: each for each in setup.spec.features}
    for name, elements in setup.features.task_names:
        feature = declared[name]
        if elements == 1 and feature.high - feature.low < _FEW:
            found.append((place, feature.low, feature.high))
        place += elements
    return found


def _alike(one: Rule, other: Rule) -> bool:
    """Whether a rule is drawn from labels that the other has for the most part."""
    shared = len(np.intersect1d(one.rows, other.rows, assume_unique=True))
    return one.action == other.action and shared > _ALIKE * len(one.rows)


def _sums(
    values: NDArray[np.float64], ends: NDArray[np.intp], below: bool
) -> NDArray[np.float64]:
    """Sums of what is before each end, or from it on."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return sums[ends] if below else sums[-1] - sums[ends]


def _add(trees: pb.Trees, any_of: list[list[Bound]], value: float) -> None:
    """Add a tree that is worth a value where one of several conjunctions holds.

    The conjunctions are of one bound each, or there is only one.
    """
    nodes: list[tuple[int, float, bool]] = []
    for bounds in any_of:
        for bound in bounds:
            if bound.low > -np.inf:
                nodes.append((bound.element, bound.low, True))
            if bound.high < np.inf:
                nodes.append((bound.element, bound.high, False))
    one_is_enough = len(any_of) > 1
    tree = trees.trees.add(output=0)
    for number, (element, threshold, above) in enumerate(nodes):
        # Each node has a leaf behind it, and then the next node.
        leaf, following = 2 * number + 1, 2 * number + 2
        ahead, aside = (leaf, following) if one_is_enough else (following, leaf)
        tree.input.extend([element, 0])
        tree.threshold.extend([threshold, 0])
        tree.left.extend([aside if above else ahead, 0])
        tree.right.extend([ahead if above else aside, 0])
        tree.value.extend([0, value if one_is_enough else 0])
    tree.input.append(0)
    tree.threshold.append(0)
    tree.left.append(0)
    tree.right.append(0)
    tree.value.append(0 if one_is_enough else value)
