# SPDX-License-Identifier: Apache-2.0
"""Putting a policy together from inputs, layers or trees, and a head."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb


class Layers:
    """The layers of a network, in the order in which they are found.

    Args:
        size: Size of what the first layer takes.
    """

    def __init__(self, size: int) -> None:
        self._inputs = size
        self.width = size
        self._found: list[tuple[NDArray[Any], NDArray[Any], int]] = []

    @property
    def empty(self) -> bool:
        """Whether there is none yet."""
        return not self._found

    def affine(
        self, weights: NDArray[Any], biases: NDArray[Any] | None, name: str
    ) -> None:
        """Add ``x @ weights + biases``.

        Raises:
            ExportError: The layer, called ``name``, does not take what the one before
                gives.
        """
        if weights.ndim != 2 or weights.shape[0] != self.width:
            raise ExportError(
                f"{name} has weights of the shape {weights.shape}, where {self.width} "
                "inputs come in"
            )
        self.width = weights.shape[1]
        if biases is None:
            biases = np.zeros(self.width)
        biases = np.broadcast_to(np.asarray(biases).ravel(), (self.width,))
        self._found.append((weights, biases, pb.Dense.IDENTITY))

    def elementwise(self, factor: NDArray[Any], shift: NDArray[Any]) -> None:
        """Multiply by and add numbers, one for each element or one for all."""
        if self._found and self._found[-1][2] == pb.Dense.IDENTITY:
            weights, biases, activation = self._found.pop()
            self._found.append((weights * factor, biases * factor + shift, activation))
        else:
            diagonal = np.diag(np.broadcast_to(factor, (self.width,)))
            shifts = np.broadcast_to(shift, (self.width,))
            self._found.append((diagonal, shifts, pb.Dense.IDENTITY))

    def activate(self, activation: pb.Dense.Activation) -> None:
        """Apply an activation to what the last layer gives."""
        if self.empty or self._found[-1][2] != pb.Dense.IDENTITY:
            self.affine(np.eye(self.width), None, "identity")
        weights, biases, _ = self._found.pop()
        self._found.append((weights, biases, activation))

    def network(self, inputs: Inputs) -> pb.Network:
        """The message, for features in their own order."""
        if self.empty:
            self.affine(np.eye(self.width), None, "identity")
        network = pb.Network()
        for index, (weights, biases, activation) in enumerate(self._found):
            if index == 0:
                weights = inputs.rows(weights)
            network.layers.add(
                outputs=weights.shape[1],
                weights=np.asarray(weights, np.float32).ravel().tolist(),
                biases=np.asarray(biases, np.float32).tolist(),
                activation=activation,
            )
        return network


def finish(
    inputs: Inputs,
    model: pb.Model,
    outputs: int,
    log_deviation: float | None = None,
    seen: NDArray[np.float32] | None = None,
) -> PortablePolicy:
    """The policy, with the head that the outputs and the actions call for.

    Args:
        inputs: What the model takes.
        model: What is computed of it.
        outputs: How many the model has.
        log_deviation: Log of the standard deviation of a continuous action.
        seen: Features of decisions, for the card; see
            :meth:`~mlcompiler_gym.PortablePolicy.with_seen`.

    Raises:
        ExportError: There is none.
        ValueError: ``seen`` has other elements.
    """
    model.inputs.extend(inputs.messages())
    space = inputs.action_space
    if isinstance(space, spaces.Box) and space.shape == (1,) and outputs == 1:
        model.scalar.low = float(space.low[0])
        model.scalar.high = float(space.high[0])
        if log_deviation is not None:
            model.scalar.log_deviation = log_deviation
    elif isinstance(space, spaces.Discrete) and outputs == int(space.n):
        model.categorical.SetInParent()
    elif isinstance(space, spaces.Discrete) and space.n == 2 and outputs == 1:
        model.bernoulli.SetInParent()
    else:
        raise ExportError(
            f"the model has {outputs} outputs, which are no actions of {space}"
        )
    config = inputs.setup.config
    policy = pb.Policy(
        task=config.task,
        llvm_version=inputs.setup.service.describe().llvm_version,
        model=model,
    )
    for name in sorted(config.options):
        policy.options.add(name=name, value=config.options[name])
    made = PortablePolicy(policy)
    return made if seen is None else made.with_seen(seen)
