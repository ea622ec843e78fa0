# SPDX-License-Identifier: Apache-2.0
"""A score for each action, by the same few weights for all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.training.magnitudes import (
    LARGEST_LOG,
    log_inputs,
    logarithms,
)
from mlcompiler_gym.training.networks import Network, place_of
from mlcompiler_gym.v1 import policy_pb2 as pb


class SharedNetwork(Network):
    """Scores actions by what the environment shows of each, and takes the highest.

    What the policy learns of one action so holds for all of its kind: all whose
    meanings differ only in their numbers. The first action is of the first kind. Each
    other kind, such as to evict nothing, has weights of its own. The action to begin
    with is one more number of each action: 1 or 0.

    A hidden unit of an action takes the numbers of this action, the numbers of each
    action that is the only one of another kind, and the numbers that are of no action.
    The units of all actions are alike.

    Args:
        compilers: What it decides in. Some of its features have numbers for each of
            its actions.
        made: Episodes with features, which tell how large numbers are.
        hidden: Hidden units of each action; 0: scores are linear.
        begin: The feature that has the action to begin with, such as LLVM's own.
        prior: The weight of that action at first.
        seed: Draws the weights into hidden units. Those out of them are 0 at first.

    Attributes:
        position: Where the weight is that prefers actions by their order.
        shown: Where the weight of the action to begin with is; None: it is not shown.
    """

    def __init__(
        self,
        compilers: CompilerVectorEnv,
        made: Sequence[Rollout],
        hidden: int,
        begin: str,
        prior: float,
        seed: int,
    ) -> None:
        self._compilers, self._hidden, self._begin = compilers, hidden, begin
        setup = compilers.setup
        layout = setup.features.columns
        self._actions = len(layout.places)
        self._shown = place_of(compilers, begin)
        kinds = [re.sub(r"\d+", "", each) for each in setup.actions.meanings]
        others = list(dict.fromkeys(kinds))[1:]
        #: The number of the kind of each action; 0: the first one.
        self._kinds = [others.index(k) + 1 if k in others else 0 for k in kinds]
        #: Actions that are the only ones of another kind than the first.
        self._single = [
            action
            for action, kind in enumerate(self._kinds)
            if kind and self._kinds.count(kind) == 1
        ]
        rows = logarithms(
            np.concatenate([r.features for r in made if r.features is not None])
        )
        legal = np.concatenate([r.masks for r in made if r.masks is not None]) != 0
        numbers = rows[:, layout.places][legal]
        varies = np.ptp(numbers, axis=0) > 0
        #: Where the numbers of each action are, shape (actions, k).
        self._places = layout.places[:, varies]
        self._mean, self._deviation = (
            numbers[:, varies].mean(axis=0),
            numbers[:, varies].std(axis=0),
        )
        rest = np.setdiff1d(layout.rest, [] if self._shown is None else [self._shown])
        varies = np.ptp(rows[:, rest], axis=0) > 0
        #: Where the numbers are that belong to no action, shape (r,).
        self._others = rest[varies]
        self._others_mean, self._others_deviation = (
            rows[:, self._others].mean(axis=0),
            rows[:, self._others].std(axis=0),
        )
        self._columns = self._places.shape[1]
        rng = np.random.default_rng(seed)
        own = self._columns + len(self._others) + 1
        self._sizes = [self._columns, 1, own * len(others), self._shown is not None]
        #: How many weights a hidden unit has for its action's numbers, the numbers of
        #: single actions, and the others, then its bias, and one for each kind.
        self._parts = [
            *(self._columns, len(self._single) * self._columns, len(self._others)),
            *(1, len(others)),
        ]
        self._width = sum(self._parts)
        self.position = self._columns
        self.shown = None if self._shown is None else sum(self._sizes) - 1
        start = [np.zeros(sum(self._sizes))]
        if self._shown is not None:
            start[0][-1] = prior
        for _ in range(hidden):
            start += [rng.standard_normal(self._width), np.zeros(1)]
        self.start = np.concatenate(start)

    @override
    def policy(self, weights: NDArray[np.float64]) -> PortablePolicy:
        inputs = log_inputs(self._compilers, self._begin)
        linear, into = np.split(weights, [sum(self._sizes)])
        shared, position, own, shown = np.split(linear, np.cumsum(self._sizes)[:-1])
        of_kinds = own.reshape(-1, self._columns + len(self._others) + 1)
        units = into.reshape(self._hidden, self._width + 1)
        layers = Layers(inputs.size)
        first = np.zeros((inputs.size + 1, self._actions * (1 + self._hidden)))
        ends = np.zeros((first.shape[1], self._actions))
        for action in range(self._actions):
            score = first[:, action]
            if kind := self._kinds[action]:
                weights = of_kinds[kind - 1]
                self._add(score, action, weights[: self._columns])
                self._add_others(score, weights[self._columns : -1])
                score[-1] += weights[-1]
            else:
                self._add(score, action, shared)
                score[-1] += float(position[0]) * action / self._actions
            ends[action, action] = 1
            for number, unit in enumerate(units):
                place = self._actions * (1 + number) + action
                self._add_unit(first[:, place], action, unit[:-1])
                ends[place, action] = unit[-1]
        # With this bound added, no score is negative, so all pass through the layer
        # unchanged. It is the same for all actions.
        first[-1, : self._actions] += self._bound(first[:, : self._actions])
        if self._shown is not None:
            steps, hats = _hats(self._actions)
            into_steps = np.zeros((len(first), len(steps)))
            into_steps[self._shown], into_steps[-1] = 1, steps
            first = np.concatenate([first, into_steps], axis=1)
            ends = np.concatenate([ends, float(shown[0]) * hats])
        layers.affine(first[:-1], first[-1], "numbers")
        layers.activate(pb.Dense.RELU)
        layers.affine(ends, None, "scores")
        return finish(inputs, pb.Model(network=layers.network(inputs)), layers.width)

    def _add(
        self, to: NDArray[np.float64], action: int, weights: NDArray[np.float64]
    ) -> None:
        """Weights for the numbers of an action, scaled to mean 0 and deviation 1."""
        scaled = weights / (self._deviation * math.sqrt(self._columns))
        to[self._places[action]] += scaled
        to[-1] -= self._mean @ scaled

    def _add_others(
        self, to: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> None:
        scaled = weights / self._others_deviation
        to[self._others] += scaled
        to[-1] -= self._others_mean @ scaled

    def _add_unit(
        self, to: NDArray[np.float64], action: int, weights: NDArray[np.float64]
    ) -> None:
        """What goes into a hidden unit of an action."""
        own, single, others, bias, kinds = np.split(
            weights, np.cumsum(self._parts)[:-1]
        )
        self._add(to, action, own)
        for other, numbers in zip(
            self._single, single.reshape(-1, self._columns), strict=True
        ):
            self._add(to, other, numbers)
        self._add_others(to, others)
        to[-1] += bias[0]
        if kind := self._kinds[action]:
            to[-1] += kinds[kind - 1]

    def _bound(self, scores: NDArray[np.float64]) -> float:
        """The lowest that any score can be, with its sign changed."""
        low = scores[-1] - LARGEST_LOG * np.abs(scores[:-1]).sum(axis=0)
        return float(-low.min())


def _hats(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How a whole number is told apart from the others, by units that cut at 0.

    Returns:
        What is added to the number for each unit, shape (count + 2,), and the weights
        of the units, shape (count + 2, count): their sum is 1 for the number itself,
        and 0 for all others.
    """
    weights = np.zeros((count + 2, count))
    for number in range(count):
        weights[number : number + 3, number] = 1, -2, 1
    return 1 - np.arange(count + 2, dtype=np.float64), weights
