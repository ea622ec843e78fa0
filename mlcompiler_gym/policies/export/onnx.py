# SPDX-License-Identifier: Apache-2.0
"""Networks and trees in the ONNX format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.policies.export.onnx_trees import add_ensemble
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Operators that change nothing for a single decision.
_NOTHING = ("Identity", "Flatten", "Dropout", "Cast", "ZipMap")
#: Operators that turn logits into (logarithms of) probabilities, as the head does.
_HEADS = ("Softmax", "LogSoftmax")
_ENSEMBLES = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")


def from_onnx(
    model: Any,
    env: Any,
    *,
    output: str | None = None,
    seen: NDArray[np.float32] | None = None,
) -> PortablePolicy:
    """A policy from a network or trees in ONNX.

    Args:
        model: Path of the file, or an ``onnx.ModelProto``. One chain of ``Gemm``,
            ``MatMul``, ``Add``, ``Sub``, ``Mul``, ``Div``, ``Clip`` (of inputs),
            ``Relu``, ``Tanh``, ``Flatten``, ``Identity``, ``Dropout``, ``Cast``, and
            ``Softmax`` or ``LogSoftmax`` at the end, from one input of shape (batch,
            elements) to logits or a continuous action. Or, behind operators on
            inputs, a ``TreeEnsembleRegressor``, or a ``TreeEnsembleClassifier`` that
            makes logits, as boosted trees do.
        env: The environment whose observations it takes, in its wrappers.
        output: Which of the outputs. None: the only one, or that of a classifier's
            scores.
        seen: What decisions were made from in training, for the card: shape
            (decisions, elements), ``rollout(policy, features=True).features``.

    Raises:
        ExportError: A node cannot be exported; it is named.
        ValueError: ``seen`` has other elements than the policy.
    """
    import onnx

    if isinstance(model, str | os.PathLike):
        model = onnx.load(os.fspath(model))
    graph = model.graph
    outputs = [each.name for each in graph.output]
    if output is None and len(outputs) == 2:
        labels = {
            each.output[0]
            for each in graph.node
            if each.op_type == "TreeEnsembleClassifier"
        }
        outputs = [each for each in outputs if each not in labels]
    if output is None and len(outputs) != 1:
        raise ExportError(f"the model has the outputs {outputs}; say which as output")
    constants = {
        each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer
    }
    feeds = [each.name for each in graph.input if each.name not in constants]
    if len(feeds) != 1:
        raise ExportError(f"the model has the inputs {feeds}; a policy has one")
    chain = _chain(graph, constants, feeds[0], output or outputs[0])
    inputs = Inputs(env)
    layers = Layers(inputs.size)
    ensemble: tuple[pb.Trees, int] | None = None
    for index, (node, name) in enumerate(chain):
        if node.op_type in _HEADS and index + 1 == len(chain):
            continue
        if node.op_type not in (*_OPERATORS, *_ENSEMBLES):
            raise ExportError(
                f"{name} is a {node.op_type}, which policies do not know; they know "
                f"{', '.join((*_OPERATORS, *_HEADS, *_ENSEMBLES))}"
            )
        attributes = {
            each.name: onnx.helper.get_attribute_value(each) for each in node.attribute
        }
        if node.op_type in _ENSEMBLES:
            if not layers.empty or ensemble is not None:
                raise ExportError(f"{name} is behind a layer or another ensemble")
            ensemble = add_ensemble(node.op_type, name, attributes, inputs)
            continue
        if ensemble is not None and node.op_type not in _NOTHING:
            raise ExportError(f"{name}, a {node.op_type}, is behind an ensemble")
        _OPERATORS[node.op_type](
            _Node(node, name, attributes, constants), inputs, layers
        )
    if ensemble is not None:
        return finish(inputs, pb.Model(trees=ensemble[0]), ensemble[1], seen=seen)
    made = pb.Model(network=layers.network(inputs))
    return finish(inputs, made, layers.width, seen=seen)


def _chain(
    graph: Any, constants: dict[str, NDArray[Any]], feed: str, output: str
) -> list[tuple[Any, str]]:
    """The nodes from the input to the output, and their names."""
    import onnx

    makers = {}
    for node in graph.node:
        if node.op_type == "Constant":
            value = onnx.helper.get_attribute_value(node.attribute[0])
            constants[node.output[0]] = (
                onnx.numpy_helper.to_array(value)
                if isinstance(value, onnx.TensorProto)
                else np.asarray(value)
            )
        else:
            # The first output of a classifier is the class, not what it is worth.
            at = 1 if node.op_type == "TreeEnsembleClassifier" else 0
            makers[node.output[at]] = node
    chain: list[tuple[Any, str]] = []
    wanted = output
    while wanted != feed:
        if wanted not in makers or len(chain) > len(graph.node):
            raise ExportError(f"{wanted!r} is not computed from the input {feed!r}")
        node = makers[wanted]
        name = f"node {node.name or node.output[0]}"
        varying = [each for each in node.input if each and each not in constants]
        if len(varying) != 1:
            raise ExportError(
                f"{name}, a {node.op_type}, depends on the input by {len(varying)} "
                "ways; a policy is one chain"
            )
        chain.append((node, name))
        wanted = varying[0]
    return chain[::-1]


class _Node:
    """A node, and the constants among its inputs."""

    def __init__(
        self,
        node: Any,
        name: str,
        attributes: Mapping[str, Any],
        constants: Mapping[str, NDArray[Any]],
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.constants = [constants.get(each) for each in node.input]
        #: Whether the input of the network comes first.
        self.first = self.constants[0] is None

    def constant(self, index: int) -> NDArray[np.float64]:
        """The constant at a place, or the one beside what varies.

        Raises:
            ExportError: There is none.
        """
        found = self.constants[index] if index < len(self.constants) else None
        if found is None:
            raise ExportError(f"{self.name} needs a constant")
        return np.asarray(found, np.float64)

    def beside(self, width: int) -> NDArray[np.float64]:
        """The constant beside what varies: one number, or one for each element."""
        found = self.constant(1 if self.first else 0)
        if found.size not in (1, width):
            raise ExportError(
                f"{self.name} combines {width} elements with {found.size} constants"
            )
        return found.ravel()


def _gemm(node: _Node, inputs: Inputs, layers: Layers) -> None:
    if not node.first or node.attributes.get("transA", 0):
        raise ExportError(f"{node.name} does not multiply the input by weights")
    weights = node.constant(1)
    if node.attributes.get("transB", 0):
        weights = weights.T
    biases = node.constant(2) if len(node.constants) > 2 else np.zeros(1)
    layers.affine(
        weights * node.attributes.get("alpha", 1.0),
        biases * node.attributes.get("beta", 1.0),
        node.name,
    )


def _matmul(node: _Node, inputs: Inputs, layers: Layers) -> None:
    if not node.first:
        raise ExportError(f"{node.name} does not multiply the input by weights")
    layers.affine(node.constant(1), None, node.name)


def _combine(
    layers: Layers, inputs: Inputs, shift: NDArray[Any], factor: NDArray[Any]
) -> None:
    """``(x - shift) * factor``."""
    if layers.empty:
        one = np.ones(inputs.size)
        inputs.scale(shift * one, factor * one)
    else:
        layers.elementwise(factor, -shift * factor)


def _add(node: _Node, inputs: Inputs, layers: Layers) -> None:
    _combine(layers, inputs, -node.beside(layers.width), np.ones(1))


def _sub(node: _Node, inputs: Inputs, layers: Layers) -> None:
    constant = node.beside(layers.width)
    sign = 1.0 if node.first else -1.0
    _combine(layers, inputs, constant, np.full(1, sign))


def _mul(node: _Node, inputs: Inputs, layers: Layers) -> None:
    _combine(layers, inputs, np.zeros(1), node.beside(layers.width))


def _div(node: _Node, inputs: Inputs, layers: Layers) -> None:
    if not node.first:
        raise ExportError(f"{node.name} divides by the input")
    _combine(layers, inputs, np.zeros(1), 1 / node.beside(layers.width))


def _clip(node: _Node, inputs: Inputs, layers: Layers) -> None:
    if not layers.empty:
        raise ExportError(
            f"{node.name} is a Clip behind a layer; inputs may be clipped"
        )
    inputs.clip(node.constant(1).item(), node.constant(2).item())


def _relu(node: _Node, inputs: Inputs, layers: Layers) -> None:
    layers.activate(pb.Dense.RELU)


def _tanh(node: _Node, inputs: Inputs, layers: Layers) -> None:
    layers.activate(pb.Dense.TANH)


def _nothing(node: _Node, inputs: Inputs, layers: Layers) -> None:
    pass


_OPERATORS: dict[str, Callable[[_Node, Inputs, Layers], None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Clip": _clip,
    "Relu": _relu,
    "Tanh": _tanh,
    **dict.fromkeys(_NOTHING, _nothing),
}
