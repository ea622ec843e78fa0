# SPDX-License-Identifier: Apache-2.0
"""Networks of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb

if TYPE_CHECKING:
    from torch import nn


def from_torch(
    network: nn.Module, env: Any, *, seen: NDArray[np.float32] | None = None
) -> PortablePolicy:
    """A policy from a network that makes logits, or a continuous action.

    Args:
        network: A ``Sequential``, nested as you like, of ``Linear``, ``ReLU``,
            ``Tanh``, ``Flatten``, ``Identity`` and ``Dropout`` (which does nothing
            any more). It has one output for each action; or one, the log-odds of
            action 1 of two, or the value of a continuous action.
        env: The environment whose observations it takes, in its wrappers.
        seen: What decisions were made from in training, for the card: shape
            (decisions, elements), ``rollout(policy, features=True).features``.

    Raises:
        ExportError: A layer or a wrapper cannot be exported; it is named.
        ValueError: ``seen`` has other elements than the policy.
    """
    inputs = Inputs(env)
    layers = Layers(inputs.size)
    add_module(layers, network, "")
    model = pb.Model(network=layers.network(inputs))
    return finish(inputs, model, layers.width, seen=seen)


def add_module(layers: Layers, module: nn.Module, name: str) -> None:
    """Add what a module computes.

    Args:
        layers: What there is so far.
        module: What is behind it.
        name: Name of the module, for errors.

    Raises:
        ExportError: It is none that is known.
    """
    from torch import nn

    if isinstance(module, nn.Sequential):
        for key, child in module.named_children():
            add_module(layers, child, f"{name}.{key}" if name else key)
    elif type(module) is nn.Linear:
        biases = module.bias
        layers.affine(
            module.weight.detach().cpu().numpy().T,
            None if biases is None else biases.detach().cpu().numpy(),
            f"layer {name}",
        )
    elif type(module) is nn.ReLU:
        layers.activate(pb.Dense.RELU)
    elif type(module) is nn.Tanh:
        layers.activate(pb.Dense.TANH)
    elif type(module) not in (nn.Flatten, nn.Identity, nn.Dropout):
        raise ExportError(
            f"layer {name or 'of the network'} is a {type(module).__name__}, which "
            "policies do not know; they know Linear, ReLU, Tanh, Flatten, Identity "
            "and Dropout"
        )
