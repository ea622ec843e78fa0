# SPDX-License-Identifier: Apache-2.0
"""Counterfactual regression: predict what a flip saves, and flip where it is enough.

At decisions of programs, the value of each action is found by fork
(:meth:`~mlcompiler_gym.envs.CompilerEnv.counterfactuals`). A forest of scikit-learn's
extremely randomised trees predicts from the features what action 1 saves against
action 0. The policy deviates from a base policy, LLVM or a rule, where the predicted
saving is larger than a margin. The margin is chosen by playing on packages that the
forest has not seen.

What single flips save does not say what all of them save together. To keep one of four
calls that LLVM inlines keeps the callee's body; to keep all four may save three copies
of it. With ``callees``, labels of inlining are of whole callees: all calls of a callee
that the base policy answers alike are answered the other way. Each of these calls saves
an equal share of that, so margins and clips are still of one call. The policy decides
call by call. It saves what the forest promises only where it flips all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.policies.export import from_sklearn
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.v1 import policy_pb2 as pb


@dataclass(frozen=True)
class CounterfactualSettings:
    """How decisions are labelled, and a policy is fitted to them.

    Attributes:
        base: What is deviated from, and decides all except what is tried: ``"llvm"``,
            or a rule of the task.
        decisions: How many are labelled of a program, at most.
        callees: Whether a label is of all calls of a callee, in inlining.
        trees: How many trees the forest has.
        leaves: The most that a tree may have.
        smallest_leaf: Rows that a leaf has at least.
        features: Share of the features that a split chooses from.
        clip: A saving counts as at most this much, or as at least its negative: a few
            huge ones would take all splits.
        relative: Savings count in per cent of what the program comes to with action 0,
            as do ``clip`` and ``margins``. For objectives that are many times larger in
            one program than in another, such as ``loop_cost``; otherwise in units of
            the objective.
        agreement: Share of the trees that have to promise a deviation more than the
            margin, beyond the trees that promise its opposite. 0: trees do not vote,
            and their mean counts.
        margins: Savings that a deviation from the base policy has to promise; the
            best of them is chosen.
        worse: Share of programs that may come out worse than by LLVM. Margins with
            which more do are not chosen, if there is another.
        folds: Parts that the packages are split into.
        seed: Seed of the decisions that are labelled, of the forest, and of the split
            into folds.
    """

    base: str = "llvm"
    decisions: int = 24
    callees: bool = False
    trees: int = 200
    leaves: int = 256
    smallest_leaf: int = 5
    features: float = 0.33
    clip: float = 40.0
    relative: bool = False
    agreement: float = 0.0
    margins: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    worse: float = 0.05
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.margins or min(self.margins) < 0:
            raise TrainingError(f"margins are numbers from 0 on, not {self.margins}")
        if list(self.margins) != sorted(self.margins):
            raise TrainingError(f"margins are in ascending order, not {self.margins}")
        if not 0 <= self.agreement < 1:
            raise TrainingError(
                f"agreement is a share from 0 to less than 1, not {self.agreement}"
            )
        if self.folds < 2:
            raise TrainingError(f"there must be two folds or more, not {self.folds}")


class Forest:
    """A fitted forest, from which policies with different margins come.

    Args:
        labels: Labels of a task with two actions.
        env: The environment that they are of; it shows what the base policy goes by.
        settings: How it is fitted. The same labels, in any order, and the same
            settings give the same policies, byte for byte.

    Raises:
        TrainingError: The labels are too few, or not of such a task.
    """

    def __init__(
        self,
        labels: Labels,
        env: Any,
        settings: CounterfactualSettings,
    ) -> None:
        order = np.lexsort((labels.decisions, labels.programs))
        labels = labels[order]
        features, savings = labels.features, savings_of(labels)
        if settings.relative:
            with np.errstate(divide="ignore", invalid="ignore"):
                savings = 100 * savings / labels.values[:, 0]
            savings[~np.isfinite(savings)] = np.nan
        known = ~np.isnan(savings)
        if known.sum() < 2 * settings.smallest_leaf:
            raise TrainingError(
                f"{known.sum()} labels are too few for leaves of "
                f"{settings.smallest_leaf}; label more programs"
            )
        self._env, self._settings = env, settings
        self._seen = features[known]
        self._estimator = fit_forest(self._seen, savings[known], settings)

    def policy(self, margin: float) -> PortablePolicy:
        """Deviate from the base policy where that promises to save more than a margin.

        Raises:
            TrainingError: The environment does not show what the base policy goes by.
        """
        message = from_sklearn(self._estimator, self._env, seen=self._seen).message
        needed = margin
        if self._settings.agreement:
            needed = self._settings.agreement
            _vote(message.model.trees, margin)
        # One more tree adds the margin. Where the base takes action 0, action 1 has to
        # save the margin, and the other way round. The base takes action 1 where one of
        # its features is set, so the tree asks each in turn.
        places = places_of(self._env, self._settings.base, message.model.inputs)
        ends = 2 * len(places)
        message.model.trees.trees.add(
            output=0,
            input=[each for place in places for each in (place, 0)] + [0],
            threshold=[0.5, 0] * len(places) + [0],
            left=[each for node in range(2, ends + 2, 2) for each in (node, 0)] + [0],
            right=[each for node in range(1, ends, 2) for each in (node, 0)] + [0],
            value=[0, needed] * len(places) + [-needed],
        )
        return PortablePolicy(message)


def _vote(trees: pb.Trees, margin: float) -> None:
    """Make each tree of a mean say 1 / trees, its negative, or 0: too little to tell.

    Args:
        trees: Trees with one output, each of whose leaves is divided by their number.
        margin: What a tree has to promise.
    """
    count = len(trees.trees)
    for tree in trees.trees:
        # A node without children is a leaf; the values of others are not used.
        votes = [
            math.copysign(1 / count, value) if abs(value) * count > margin else 0.0
            for value in tree.value
        ]
        del tree.value[:]
        tree.value.extend(votes)


def fit_forest(
    features: NDArray[np.float32],
    savings: NDArray[np.float64],
    settings: CounterfactualSettings,
) -> Any:
    """Fit the trees.

    Args:
        features: Shape (n, elements).
        savings: What action 1 saves against action 0, shape (n,); clipped here.
        settings: Number and size of the trees, the clip and the seed.

    Returns:
        scikit-learn's ``ExtraTreesRegressor``.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_estimators=settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.smallest_leaf,
        max_features=settings.features,
        random_state=settings.seed,
    ).fit(features, np.clip(savings, -settings.clip, settings.clip))


def savings_of(labels: Labels) -> NDArray[np.float64]:
    """What action 1 saves against action 0, shape (n,); NaN if one is not known.

    What several calls of a callee save together, each saves an equal share of.

    Raises:
        TrainingError: There are not two actions.
    """
    if labels.values.shape[1] != 2:
        raise TrainingError(
            f"these labels are of {labels.values.shape[1]} actions; such a policy "
            "decides between two"
        )
    savings: NDArray[np.float64] = labels.values[:, 0] - labels.values[:, 1]
    return savings / labels.calls


def places_of(env: Any, base: str, inputs: Iterable[pb.Input]) -> list[int]:
    """Which elements of the inputs a base policy goes by.

    It takes action 1 where one of them is set. There are none if it always takes
    action 0, as LLVM does where it has no heuristic.

    Raises:
        TrainingError: The environment does not show them, or there is no such policy.
    """
    spec = compiler_of(env).setup.spec
    rules = {rule.name: list(rule.features) for rule in spec.rules}
    heuristic = spec.heuristic
    answers = [heuristic.feature] if heuristic.feature else []
    if not answers and heuristic.action != 0:
        raise TrainingError(
            f"LLVM always takes action {heuristic.action} in {spec.name}; deviations "
            "can be from what a feature says, or from action 0"
        )
    wanted = {"llvm": answers, **rules}.get(base)
    if wanted is None:
        raise TrainingError(
            f"deviations can be from llvm, or from a rule of {spec.name}: "
            f"{', '.join(rules) or 'it has none'}; not from {base!r}"
        )
    places, place = {}, 0
    for each in inputs:
        if each.elements == 1:
            places[each.feature] = place
        place += each.elements
    if missing := [feature for feature in wanted if feature not in places]:
        raise TrainingError(
            f"the environment does not show {', '.join(missing)}, which {base!r} goes "
            "by; make it with what settings_for(env, policy) says"
        )
    return [places[feature] for feature in wanted]
