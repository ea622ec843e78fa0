# SPDX-License-Identifier: Apache-2.0
"""Estimators of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs.wrappers import signed_log
from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Their trees are averaged.
_FORESTS = ("DecisionTreeRegressor", "ExtraTreesRegressor", "RandomForestRegressor")
#: The log-odds of an action that a classifier has never seen.
_NEVER = -1e4


def from_sklearn(
    estimator: Any, env: Any, *, seen: NDArray[np.float32] | None = None
) -> PortablePolicy:
    """A policy from a fitted classifier or regressor.

    A classifier's classes are actions. A regressor with an output for each action
    takes the action of the largest; with one output, action 1 of two where it is
    more than 0, or the output itself as a continuous action.

    Args:
        estimator: A ``HistGradientBoostingClassifier`` or ``-Regressor``,
            ``ExtraTreesRegressor``, ``RandomForestRegressor``,
            ``DecisionTreeRegressor``, ``LogisticRegression``,
            ``LinearRegression``, ``Ridge``, ``RidgeClassifier``, ``MLPClassifier``,
            ``MLPRegressor``; or a ``Pipeline`` with one of them at its end, behind
            ``StandardScaler``, ``MinMaxScaler`` and
            ``FunctionTransformer(signed_log)``.
        env: The environment whose observations it was fitted to, in its wrappers.
        seen: What decisions were made from in training, for the card: shape
            (decisions, elements), ``rollout(policy, features=True).features``.

    Raises:
        ExportError: It cannot be exported; what cannot is named.
        ValueError: ``seen`` has other elements than the policy.
    """
    from sklearn.pipeline import Pipeline

    inputs = Inputs(env)
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps[:-1]:
            _add_step(inputs, step, name)
        estimator = estimator.steps[-1][1]
    if type(estimator).__name__.startswith("HistGradientBoosting"):
        model, outputs = _trees(inputs, estimator)
    elif type(estimator).__name__ in _FORESTS:
        model, outputs = _forest(inputs, estimator)
    else:
        model, outputs = _network(inputs, estimator)
    return finish(inputs, model, outputs, seen=seen)


def _add_step(inputs: Inputs, step: Any, name: str) -> None:
    from sklearn.preprocessing import (
        FunctionTransformer,
        MinMaxScaler,
        StandardScaler,
    )

    if type(step) is StandardScaler:
        zero, one = np.zeros(inputs.size), np.ones(inputs.size)
        inputs.scale(
            zero if step.mean_ is None else step.mean_,
            one if step.scale_ is None else 1 / step.scale_,
        )
    elif type(step) is MinMaxScaler and not step.clip:
        inputs.scale(-step.min_ / step.scale_, step.scale_)
    elif type(step) is FunctionTransformer and step.func is signed_log:
        inputs.signed_log()
    elif step != "passthrough":
        raise ExportError(
            f"step {name} is a {type(step).__name__}, which policies do not know as it "
            "is"
        )


def _network(inputs: Inputs, estimator: Any) -> tuple[pb.Model, int]:
    from sklearn.linear_model import (
        LinearRegression,
        LogisticRegression,
        Ridge,
        RidgeClassifier,
    )
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    layers = Layers(inputs.size)
    kind = type(estimator)
    if kind in (LinearRegression, Ridge, LogisticRegression, RidgeClassifier):
        weights = np.atleast_2d(estimator.coef_).T
        layers.affine(weights, np.asarray(estimator.intercept_), kind.__name__)
    elif kind in (MLPClassifier, MLPRegressor):
        known = {"relu": pb.Dense.RELU, "tanh": pb.Dense.TANH, "identity": None}
        if estimator.activation not in known:
            raise ExportError(
                f"the activation {estimator.activation!r} of {kind.__name__} is not "
                "known"
            )
        activation = known[estimator.activation]
        for index, weights in enumerate(estimator.coefs_):
            layers.affine(
                weights, estimator.intercepts_[index], f"layer {index} of the network"
            )
            if activation is not None and index + 1 < len(estimator.coefs_):
                layers.activate(activation)
    elif hasattr(estimator, "estimators_") and hasattr(estimator, "classes_"):
        raise ExportError(
            f"{kind.__name__} averages probabilities, which policies do not know; fit "
            "a regressor, or HistGradientBoostingClassifier"
        )
    else:
        raise ExportError(f"{kind.__name__} is an estimator that policies do not know")
    columns = _columns(inputs, estimator, layers.width)
    if columns is not None:
        count, at = columns
        spread = np.zeros((layers.width, count))
        spread[np.arange(layers.width), at] = 1
        biases = np.full(count, _NEVER)
        biases[at] = 0
        layers.affine(spread, biases, "actions")
    return pb.Model(network=layers.network(inputs)), layers.width


def _trees(inputs: Inputs, estimator: Any) -> tuple[pb.Model, int]:
    name = type(estimator).__name__
    if getattr(estimator, "is_categorical_", None) is not None:
        raise ExportError(f"{name} was fitted with categorical features")
    if name.endswith("Regressor") and estimator.loss not in (
        "squared_error",
        "absolute_error",
        "quantile",
    ):
        raise ExportError(f"the loss {estimator.loss!r} of {name} is not known")
    base = np.ravel(estimator._baseline_prediction).astype(np.float64)
    columns = _columns(inputs, estimator, len(base))
    at = np.arange(len(base))
    if columns is not None:
        count, at = columns
        spread = np.full(count, _NEVER)
        spread[at] = base
        base = spread
    trees = pb.Trees(base=base.tolist())
    for iteration in estimator._predictors:
        for output, predictor in enumerate(iteration):
            _add_tree(trees, predictor.nodes, int(at[output]), inputs.order)
    return pb.Model(trees=trees), len(base)


def _forest(inputs: Inputs, estimator: Any) -> tuple[pb.Model, int]:
    members = getattr(estimator, "estimators_", [estimator])
    outputs = int(estimator.n_outputs_)
    trees = pb.Trees(base=[0.0] * outputs)
    for member in members:
        tree = member.tree_
        leaf = tree.children_left < 0
        for output in range(outputs):
            value = tree.value[:, output, 0] / len(members)
            trees.trees.add(
                output=output,
                input=np.where(leaf, 0, inputs.order[tree.feature]).tolist(),
                threshold=np.where(leaf, 0, tree.threshold).tolist(),
                left=np.where(leaf, 0, tree.children_left).tolist(),
                right=np.where(leaf, 0, tree.children_right).tolist(),
                value=np.where(leaf, value, 0).tolist(),
            )
    return pb.Model(trees=trees), outputs


def _add_tree(
    trees: pb.Trees, nodes: NDArray[Any], output: int, order: NDArray[np.intp]
) -> None:
    leaf = nodes["is_leaf"].astype(bool)
    largest = np.finfo(np.float64).max
    trees.trees.add(
        output=output,
        input=np.where(leaf, 0, order[nodes["feature_idx"]]).tolist(),
        # A threshold is infinite if only missing values go to the right; none are
        # missing.
        threshold=np.where(
            leaf, 0, np.clip(nodes["num_threshold"], -largest, largest)
        ).tolist(),
        left=np.where(leaf, 0, nodes["left"]).tolist(),
        right=np.where(leaf, 0, nodes["right"]).tolist(),
        value=np.where(leaf, nodes["value"], 0).tolist(),
    )


def _columns(
    inputs: Inputs, estimator: Any, outputs: int
) -> tuple[int, NDArray[np.intp]] | None:
    """How many actions there are, and which of them each output is.

    None if each is the one of its place.

    Raises:
        ExportError: Classes are not actions.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return None
    count = int(getattr(inputs.action_space, "n", 0))
    if not np.array_equal(classes, np.unique(classes)) or not all(
        float(value).is_integer() and 0 <= value < count for value in classes
    ):
        raise ExportError(
            f"{type(estimator).__name__} has the classes {list(classes)}, which are no "
            f"actions of {inputs.action_space}"
        )
    at = np.asarray(classes).astype(np.intp)
    if outputs == 1:
        if len(at) != 2 or count != 2:
            raise ExportError(
                f"{type(estimator).__name__} tells {list(classes)} apart, and there "
                f"are {count} actions; fit it to samples of three and more"
            )
        return None
    return None if len(at) == count else (count, at)
