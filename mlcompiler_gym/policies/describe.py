# SPDX-License-Identifier: Apache-2.0
"""What a policy is, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb


def describe(policy: PortablePolicy) -> dict[str, Any]:
    """All that a policy says of itself, but its weights, as JSON has it."""
    message = policy.message
    found: dict[str, Any] = {
        "task": policy.task,
        "options": dict(policy.options),
        "llvm_version": message.llvm_version,
        "bytes": len(policy.to_bytes()),
        "card": _card(message.card),
    }
    if policy.builtin:
        return {**found, "builtin": policy.builtin}
    model = message.model
    return {
        **found,
        "inputs": [
            {
                "feature": each.feature,
                "elements": each.elements,
                "transforms": [_transform(t) for t in each.transforms],
            }
            for each in model.inputs
        ],
        "function": _trees(model.trees) if model.HasField("trees") else _network(model),
        "head": _head(model),
        "seen_decisions": sum(message.card.seen[0].counts) if message.card.seen else 0,
    }


def differences(one: PortablePolicy, other: PortablePolicy) -> dict[str, list[Any]]:
    """What two policies say that is not the same: both, by what it is.

    For functions of the same shape, ``"largest change of a number"``: of a weight, a
    threshold, a leaf.
    """
    first, second = describe(one), describe(other)
    inputs = [
        {each["feature"]: each for each in found.pop("inputs", [])}
        for found in (first, second)
    ]
    flat = [dict(_flat(first)), dict(_flat(second))]
    flat[0]["inputs"] = [name for name in inputs[0] if name not in inputs[1]]
    flat[1]["inputs"] = [name for name in inputs[1] if name not in inputs[0]]
    for name in inputs[0].keys() & inputs[1].keys():
        for place in (0, 1):
            flat[place][f"input {name}"] = inputs[place][name]
    found = {
        name: [each.get(name) for each in flat]
        for name in flat[0] | flat[1]
        if flat[0].get(name) != flat[1].get(name)
    }
    ours, theirs = _numbers(one), _numbers(other)
    if len(ours) == len(theirs) and (ours != theirs).any():
        found["largest change of a number"] = [0.0, float(np.abs(ours - theirs).max())]
    return found


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in nested dicts, by its path."""
    if not isinstance(value, dict):
        yield name, value
        return
    for key, each in value.items():
        yield from _flat(each, f"{name}.{key}" if name else key)


def _numbers(policy: PortablePolicy) -> NDArray[np.float64]:
    model = policy.message.model
    numbers: list[Sequence[float]] = [model.trees.base]
    for tree in model.trees.trees:
        numbers += [tree.threshold, tree.value]
    for layer in model.network.layers:
        numbers += [layer.weights, layer.biases]
    return np.concatenate([np.array(each, np.float64) for each in numbers])


def _card(card: pb.Card) -> dict[str, Any]:
    return {
        "author": card.author,
        "method": card.method,
        "command": card.command,
        "programs": list(card.programs),
        "seeds": list(card.seeds),
        "results": {each.name: each.value for each in card.results},
        "notes": card.notes,
    }


def _transform(transform: pb.Transform) -> str:
    """``"(x - 2) * 0.5"``; numbers that are not the same for all elements by range."""
    if transform.HasField("scale"):
        shift, factor = transform.scale.shift, transform.scale.factor
        return f"(x - {_range(shift)}) * {_range(factor)}"
    if transform.HasField("clip"):
        return f"clip to {transform.clip.low:g} .. {transform.clip.high:g}"
    return "signed log"


def _range(numbers: Sequence[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"[{low:g} .. {high:g}]"


def _network(model: pb.Model) -> dict[str, Any]:
    layers = model.network.layers
    return {
        "kind": "network",
        "elements": sum(each.elements for each in model.inputs),
        "layers": [
            {
                "outputs": layer.outputs,
                "activation": pb.Dense.Activation.Name(layer.activation).lower(),
            }
            for layer in layers
        ],
        "parameters": sum(len(layer.weights) + len(layer.biases) for layer in layers),
    }


def _trees(trees: pb.Trees) -> dict[str, Any]:
    return {
        "kind": "trees",
        "outputs": len(trees.base),
        "trees": len(trees.trees),
        "nodes": sum(len(tree.value) for tree in trees.trees),
        "depth": max((_depth(tree) for tree in trees.trees), default=0),
    }


def _depth(tree: pb.Tree) -> int:
    """Comparisons on the longest way to a leaf; children are behind their parents."""
    depths = [0] * len(tree.value)
    for node in range(len(tree.value)):
        for child in (tree.left[node], tree.right[node]):
            if child:
                depths[child] = depths[node] + 1
    return max(depths)


def _head(model: pb.Model) -> dict[str, Any]:
    kind = str(model.WhichOneof("head"))
    if kind != "scalar":
        return {"kind": kind}
    head = model.scalar
    found: dict[str, Any] = {"kind": kind, "low": head.low, "high": head.high}
    if head.HasField("log_deviation"):
        found["log_deviation"] = head.log_deviation
    return found
