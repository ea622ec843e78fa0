# SPDX-License-Identifier: Apache-2.0
"""Tree ensembles in the ONNX format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.v1 import policy_pb2 as pb

_LEAF = "LEAF"
#: By mode: whether an equal number goes the way of the smaller ones, and whether
#: smaller ones go the way that ONNX calls true.
_BRANCHES = {
    "BRANCH_LEQ": (True, True),
    "BRANCH_LT": (False, True),
    "BRANCH_GT": (True, False),
    "BRANCH_GTE": (False, False),
}


def add_ensemble(
    kind: str, name: str, attributes: Mapping[str, Any], inputs: Inputs
) -> tuple[pb.Trees, int]:
    """The trees of a ``TreeEnsembleRegressor`` or ``-Classifier``, and their outputs.

    Args:
        kind: Which of the two.
        name: Name of the node, for errors.
        attributes: Attributes of the node.
        inputs: What it takes.

    Raises:
        ExportError: It does something that policies do not.
    """
    classifies = kind == "TreeEnsembleClassifier"
    prefix = "class" if classifies else "target"
    transform = _text(attributes.get("post_transform", b"NONE"))
    outputs = np.asarray(attributes.get(f"{prefix}_ids", ()), np.intp)
    weights = np.asarray(attributes.get(f"{prefix}_weights", ()), np.float64)
    if not len(weights):
        raise ExportError(f"{name} has no {prefix}_weights of single precision")
    if classifies:
        count = _logits(name, attributes, inputs, transform, outputs, weights)
        outputs = outputs if count > 1 else np.zeros_like(outputs)
    else:
        count = int(attributes["n_targets"])
        if transform != "NONE":
            raise ExportError(f"the post_transform {transform} of {name} is not known")
    base = np.zeros(count)
    if given := attributes.get("base_values"):
        base += np.asarray(given, np.float64)
    roots = _Nodes(name, attributes, inputs)
    how = _text(attributes.get("aggregate_function", b"SUM"))
    if how not in ("SUM", "AVERAGE"):
        raise ExportError(f"the aggregate_function {how} of {name} is not known")
    if how == "AVERAGE":
        weights = weights / len(roots.trees)
    trees = pb.Trees(base=base.tolist())
    values: dict[tuple[int, int], dict[int, float]] = {}
    for tree, node, output, weight in zip(
        attributes[f"{prefix}_treeids"],
        attributes[f"{prefix}_nodeids"],
        outputs.tolist(),
        weights.tolist(),
        strict=True,
    ):
        leaf = values.setdefault((tree, output), {})
        leaf[node] = leaf.get(node, 0.0) + weight
    for (tree, output), leaves in values.items():
        trees.trees.append(roots.tree(tree, output, leaves))
    return trees, count


def _logits(
    name: str,
    attributes: Mapping[str, Any],
    inputs: Inputs,
    transform: str,
    outputs: NDArray[np.intp],
    weights: NDArray[np.float64],
) -> int:
    """How many logits the trees of a classifier give: 1, or one for each class."""
    classes = list(attributes.get("classlabels_int64s", ()))
    actions = int(getattr(inputs.action_space, "n", 0))
    if classes != list(range(actions)):
        raise ExportError(
            f"{name} has the classes {classes}, which are not the actions of "
            f"{inputs.action_space}"
        )
    one = len(classes) == 2 and len(np.unique(outputs)) == 1
    if transform != ("LOGISTIC" if one else "SOFTMAX"):
        raise ExportError(
            f"{name} makes no logits: its post_transform is {transform}, where that of "
            f"boosted trees is {'LOGISTIC' if one else 'SOFTMAX'}"
        )
    if one and (weights >= 0).all():
        raise ExportError(
            f"{name} tells two classes apart by weights none of which is negative, "
            "which ONNX takes for probabilities"
        )
    return 1 if one else len(classes)


class _Nodes:
    """The nodes of all trees, whose leaves have no values yet."""

    def __init__(
        self, name: str, attributes: Mapping[str, Any], inputs: Inputs
    ) -> None:
        self._name = name
        self._order = inputs.order
        try:
            columns = [
                attributes[f"nodes_{each}"]
                for each in (
                    "modes",
                    "featureids",
                    "values",
                    "truenodeids",
                    "falsenodeids",
                )
            ]
            keys = zip(
                attributes["nodes_treeids"], attributes["nodes_nodeids"], strict=True
            )
            rows = zip(*columns, strict=True)
            #: By tree: its nodes by number, the root first.
            self.trees: dict[int, dict[int, tuple[Any, ...]]] = {}
            for (tree, node), row in zip(keys, rows, strict=True):
                self.trees.setdefault(tree, {})[node] = row
        except (KeyError, ValueError) as error:
            raise ExportError(f"the lists of nodes of {name} do not fit") from error

    def tree(self, number: int, output: int, leaves: Mapping[int, float]) -> pb.Tree:
        """One tree, each node in front of its children."""
        nodes = self.trees.get(number)
        if nodes is None:
            raise ExportError(f"{self._name} has no tree {number}")
        made = pb.Tree(output=output)
        waiting = [(next(iter(nodes)), -1, False)]
        for node, parent, is_right in waiting:
            if node not in nodes or len(waiting) > len(nodes):
                raise ExportError(f"tree {number} of {self._name} is broken")
            if parent >= 0:
                (made.right if is_right else made.left)[parent] = len(made.input)
            mode, feature, value, if_true, if_false = nodes[node]
            place = len(made.input)
            made.left.append(0)
            made.right.append(0)
            if _text(mode) == _LEAF:
                made.input.append(0)
                made.threshold.append(0)
                made.value.append(leaves.get(node, 0.0))
                continue
            if _text(mode) not in _BRANCHES:
                raise ExportError(
                    f"{self._name} has nodes of the mode {_text(mode)}, which policies "
                    f"do not know; they know {', '.join(_BRANCHES)}"
                )
            if not 0 <= feature < len(self._order):
                raise ExportError(
                    f"{self._name} compares element {feature} of {len(self._order)}"
                )
            with_equal, smaller_is_true = _BRANCHES[_text(mode)]
            bound = np.float32(value)
            if not with_equal:
                bound = np.nextafter(bound, np.float32(-np.inf))
            made.input.append(int(self._order[feature]))
            made.threshold.append(float(bound))
            made.value.append(0)
            left, right = (
                (if_true, if_false) if smaller_is_true else (if_false, if_true)
            )
            waiting += [(left, place, False), (right, place, True)]
        return made


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
