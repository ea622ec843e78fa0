# SPDX-License-Identifier: Apache-2.0
"""LLVM's own number, and what a few weights add to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.training.magnitudes import log_inputs, logarithms
from mlcompiler_gym.training.networks import Network, place_of
from mlcompiler_gym.v1 import policy_pb2 as pb


class NumberNetwork(Network):
    """Adds to LLVM's own number, for tasks whose action is one number.

    Two units of each feature say how far it is above its mean, and how far below, in
    standard deviations of its logarithm. A hidden unit takes all features. What is
    added is the sum of all units by their weights, in standard deviations of LLVM's
    number. At first, this is 0: the policy then repeats LLVM exactly. Where actions are
    drawn, their standard deviation is that of LLVM's number, too.

    Args:
        compilers: What it decides in.
        made: Episodes with features, which tell how large numbers are.
        hidden: Hidden units.
        seed: Draws the weights into hidden units. Weights out of units are 0 at first.

    Raises:
        TrainingError: The environment does not show LLVM's own number.
    """

    def __init__(
        self,
        compilers: CompilerVectorEnv,
        made: Sequence[Rollout],
        hidden: int,
        seed: int,
    ) -> None:
        self._compilers = compilers
        feature = compilers.setup.spec.heuristic.feature
        llvm = place_of(compilers, feature)
        if llvm is None:
            raise TrainingError(
                "what is learned is added to LLVM's own number, which the environment "
                f"does not show; say {feature}=true"
            )
        self._feature, self._llvm = feature, llvm
        features = np.concatenate([r.features for r in made if r.features is not None])
        rows = logarithms(features)
        varies = np.ptp(rows, axis=0) > 0
        varies[llvm] = False
        self._places = np.flatnonzero(varies)
        self._mean = rows[:, self._places].mean(axis=0)
        self._deviation = rows[:, self._places].std(axis=0)
        self._scale = float(features[:, llvm].std()) or 1.0
        rng = np.random.default_rng(seed)
        self._hidden = hidden
        #: Each unit has weights for all features, a bias, and a weight of its own.
        into = rng.standard_normal((hidden, len(self._places) + 1))
        self.start = np.concatenate(
            [
                np.zeros(2 * len(self._places)),
                np.column_stack([into, np.zeros(hidden)]).ravel(),
            ]
        )

    @override
    def policy(self, weights: NDArray[np.float64]) -> PortablePolicy:
        inputs = log_inputs(self._compilers, self._feature)
        count = len(self._places)
        units = weights[2 * count :].reshape(self._hidden, count + 2)
        into = np.concatenate([np.eye(count), -np.eye(count), units[:, :count]])
        scaled = into / self._deviation
        first = np.zeros((inputs.size + 1, 1 + len(into)))
        # LLVM's number is never negative, so it passes through the layer unchanged.
        first[self._llvm, 0] = 1
        first[self._places, 1:] = scaled.T
        first[-1, 1:] = -scaled @ self._mean
        first[-1, 1 + 2 * count :] += units[:, count]
        own = np.concatenate([weights[: 2 * count], units[:, -1]])
        layers = Layers(inputs.size)
        layers.affine(first[:-1], first[-1], "units")
        layers.activate(pb.Dense.RELU)
        layers.affine(
            np.concatenate([[1.0], own * self._scale])[:, None], None, "number"
        )
        model = pb.Model(network=layers.network(inputs))
        return finish(inputs, model, 1, math.log(self._scale))
