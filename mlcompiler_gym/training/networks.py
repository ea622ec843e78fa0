# SPDX-License-Identifier: Apache-2.0
"""Small networks, as vectors of weights that a search varies."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation, signed_log
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.v1 import policy_pb2 as pb


class Network(ABC):
    """A network of a fixed shape.

    Attributes:
        start: The weights to begin with, of shape (n,): they decide as LLVM does, if
            the environment shows that, and by nothing otherwise.
    """

    start: NDArray[np.float64]

    @abstractmethod
    def policy(self, weights: NDArray[np.float64]) -> PortablePolicy:
        """The policy of some weights, as many as ``start`` has."""


class DenseNetwork(Network):
    """Each output of all inputs.

    Args:
        compilers: What it decides in.
        made: Episodes with features, which tell how large the inputs are.
        hidden: Size of the one hidden layer; 0: outputs are linear in the inputs.
        prior: Log-odds of LLVM's own decision between two actions at first.
    """

    def __init__(
        self,
        compilers: CompilerVectorEnv,
        made: Sequence[Rollout],
        hidden: int,
        prior: float,
    ) -> None:
        self._compilers, self._prior = compilers, prior
        self._envs = SignedLogVectorObservation(compilers)
        actions = int(compilers.single_action_space.n)  # type: ignore[attr-defined]
        self._outputs = 1 if actions == 2 else actions
        rows = [each.features for each in made if each.features is not None]
        seen = signed_log(np.concatenate(rows)).astype(np.float64)
        deviation = seen.std(axis=0)
        self._mean = seen.mean(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        inputs = len(self._mean)
        self._shape = [(inputs, self._outputs)]
        if hidden:
            self._shape = [(inputs, hidden), (hidden, self._outputs)]
        self.start = self._start()

    @override
    def policy(self, weights: NDArray[np.float64]) -> PortablePolicy:
        inputs = Inputs(self._envs)
        layers = Layers(inputs.size)
        rest = weights
        for number, (rows, columns) in enumerate(self._shape):
            taken, rest = np.split(rest, [(rows + 1) * columns])
            matrix = taken.reshape(rows + 1, columns) / math.sqrt(rows)
            if number == 0:
                # The weights are for inputs scaled to mean 0 and deviation 1.
                matrix[:-1] /= self._deviation[:, None]
                matrix[-1] -= self._mean @ matrix[:-1]
            layers.affine(matrix[:-1], matrix[-1], f"layer {number}")
            if number + 1 < len(self._shape):
                layers.activate(pb.Dense.TANH)
        return finish(inputs, pb.Model(network=layers.network(inputs)), layers.width)

    def _start(self) -> NDArray[np.float64]:
        layers = [np.zeros((rows + 1, columns)) for rows, columns in self._shape]
        place = self._place_of_llvm()
        if place is not None:
            # 1 where LLVM takes action 1, and -1 where it does not.
            slope = 2 / math.log(2)
            first = np.zeros(len(layers[0]))
            first[place] = slope * self._deviation[place]
            first[-1] = slope * self._mean[place] - 1
            layers[0][:, 0] = first * math.sqrt(len(first) - 1)
            if len(layers) == 1:
                layers[0] *= self._prior
            else:
                layers[0] *= 2  # so that tanh makes it about 1
                layers[1][0, 0] = self._prior * math.sqrt(len(layers[1]) - 1)
        return np.concatenate([each.ravel() for each in layers])

    def _place_of_llvm(self) -> int | None:
        """Which input LLVM's own decision between two actions is, if it is shown."""
        feature = self._compilers.setup.spec.heuristic.feature
        return place_of(self._compilers, feature) if self._outputs == 1 else None


def place_of(compilers: CompilerVectorEnv, feature: str) -> int | None:
    """Which number of a row a feature is, or begins with; None: it is not shown."""
    setup: Any = compilers.setup
    place = 0
    for name, elements in setup.features.task_names:
        if name == feature:
            return place
        place += elements
    return None
