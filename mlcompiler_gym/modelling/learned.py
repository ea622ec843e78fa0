# SPDX-License-Identifier: Apache-2.0
"""What executions cost, learned from builds that were measured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import PolicyError, TrainingError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.modelling.builds import Builds
from mlcompiler_gym.policies.evaluator import Evaluator
from mlcompiler_gym.policy_file import decode_policy, encode_policy
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.v1 import policy_pb2 as pb

#: The observation that a model is a function of.
COSTS = "code_costs"
#: The model that the objective ``learned_cycles`` computes.
SHIPPED = files("mlcompiler_gym") / "modelling" / "learned_cycles.policy"

#: Differences of logarithms beyond this count linearly, not squared.
_LINEAR_FROM = 0.1
#: Bounds of the logarithm of a weight, and where it is drawn to, how strongly.
_BOUNDS, _USUAL, _PULL = (-9.0, 2.0), -3.0, 1e-2

Floats = NDArray[np.float64]


class CostModel:
    """Cycles of a run: what is executed of each kind, times what that costs.

    It is a policy file without a task, which the service's evaluator computes: one
    layer from the numbers of each kind for each instruction to the cycles that an
    instruction takes.

    Args:
        message: Its model takes ``code_costs``, and has one output.

    Raises:
        PolicyError: It is something else.
    """

    def __init__(self, message: pb.Policy) -> None:
        inputs = message.model.inputs
        if [each.feature for each in inputs] != [COSTS]:
            raise PolicyError(f"a cost model is a function of {COSTS} alone")
        self.message = message
        self._evaluator = Evaluator(encode_policy(message), inputs[0].elements, 1)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> CostModel:
        """Read a file; None: the model that the objective computes.

        Raises:
            PolicyError: It holds no such model.
        """
        content = SHIPPED.read_bytes() if path is None else Path(path).read_bytes()
        return cls(decode_policy(content))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file."""
        write_file(path, encode_policy(self.message))

    def cycles(self, costs: NDArray[np.float32] | Floats) -> Floats:
        """What runs cost, as the objective ``learned_cycles`` says it.

        Args:
            costs: ``code_costs``, a row for each run, shape (n, elements).

        Returns:
            Shape (n,).
        """
        rows = np.asarray(costs, np.float64)
        shares = rows / np.maximum(rows[:, :1], 1e-300)
        each: Floats = self._evaluator.outputs(shares.astype(np.float32))[:, 0]
        return rows[:, 0] * each


def fit(builds: Builds, card: pb.Card | None = None) -> CostModel:
    """Learn what executions cost, from how much faster builds are than others.

    Only builds of the same program are compared, so nothing is learned of what one
    program takes against another. Every program counts the same. The same builds
    give the same model.

    Args:
        builds: With the feature ``code_costs``.
        card: What is said of the model.

    Raises:
        TrainingError: There are too few builds.
    """
    costs = builds.features(COSTS)
    known = np.isfinite(builds.times) & (costs[:, 0] > 0)
    groups = [rows[known[rows]] for rows in builds.groups]
    groups = [rows for rows in groups if len(rows) > 1]
    if not groups:
        raise TrainingError("there are no two builds of a program to compare")
    rows = np.concatenate(groups)
    group = np.repeat(np.arange(len(groups)), [len(each) for each in groups])
    weights = _fit(costs[rows], np.log(builds.times[rows]), group)
    message = pb.Policy(card=card)
    message.model.inputs.add(feature=COSTS, elements=costs.shape[1])
    message.model.network.layers.add(outputs=1, weights=weights, biases=[0.0])
    message.model.scalar.SetInParent()
    message.model.scalar.high = float(np.finfo(np.float32).max)
    return CostModel(message)


def out_of_fold(builds: Builds, folds: int = 5) -> Floats:
    """What models say of builds of packages that each has not learned from.

    Args:
        builds: With the feature ``code_costs``.
        folds: Parts that the packages are split into.

    Returns:
        Cycles, shape (n,).
    """
    found = np.full(len(builds), np.nan)
    packages = np.array([package_of(name) for name in builds.table["program"]])
    for held_out in _folds(packages, folds):
        model = fit(builds.where(~held_out))
        found[held_out] = model.cycles(builds.features(COSTS)[held_out])
    return found


def _folds(packages: NDArray[np.str_], folds: int) -> Iterator[NDArray[np.bool_]]:
    names = np.random.default_rng(0).permutation(np.unique(packages))
    for number in range(folds):
        yield np.isin(packages, names[number::folds])


def _fit(costs: Floats, times: Floats, group: NDArray[np.int64]) -> Sequence[float]:
    """Weights that are not negative, of each kind.

    Args:
        costs: Shape (n, kinds).
        times: Logarithms, shape (n,).
        group: Which rows are compared with each other, from 0 on, shape (n,).
    """
    from scipy.optimize import minimize

    shares = costs / costs[:, :1]
    sizes = np.bincount(group)
    # Every group counts the same, however many builds it has.
    share = 1 / sizes[group]

    def centred(values: Floats) -> Floats:
        middle: Floats = values - (np.bincount(group, values) / sizes)[group]
        return middle

    offsets = centred(np.log(costs[:, 0]) - times)

    def loss(logs: Floats) -> tuple[float, Floats]:
        weights = np.exp(logs)
        each = shares @ weights
        errors = centred(np.log(each)) + offsets
        slopes = np.clip(errors, -_LINEAR_FROM, _LINEAR_FROM)
        value = (slopes * (errors - slopes / 2) * share).sum()
        # An offset that a whole group shares changes nothing.
        back = centred(slopes * share)
        gradient = ((back / each)[:, None] * shares * weights).sum(axis=0)
        pull = logs - _USUAL
        return value + _PULL * (pull**2).sum(), gradient + 2 * _PULL * pull

    start = np.full(costs.shape[1], _USUAL)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[_BOUNDS] * len(start)
    )
    weights: list[float] = np.exp(found.x).tolist()
    return weights
