# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import policy_pb2 as pb


def random_network(
    env: CompilerEnv, widths: Sequence[int] = (64, 64), seed: int = 0
) -> PortablePolicy:
    """A network of random weights that decides from all that ``env`` shows."""
    rng = np.random.default_rng(seed)
    policy = pb.Policy(task=env.setup.config.task)
    features = env.setup.features
    size = 0
    for name in features.names:
        elements = int(np.size(features.pick(features.zero(), name)))
        one = policy.model.inputs.add(feature=name, elements=elements)
        one.transforms.add(signed_log=pb.SignedLog())
        size += elements
    actions = int(getattr(env.action_space, "n", 0))
    shape = (size, *widths, actions or 1)
    for inputs, outputs in itertools.pairwise(shape):
        policy.model.network.layers.add(
            outputs=outputs,
            weights=(rng.normal(size=inputs * outputs) / np.sqrt(inputs)).tolist(),
            biases=rng.normal(size=outputs).tolist(),
            activation=pb.Dense.RELU,
        )
    policy.model.network.layers[-1].activation = pb.Dense.IDENTITY
    if actions:
        policy.model.categorical.SetInParent()
    else:
        # Wide enough that the order of many live ranges changes.
        policy.model.network.layers[-1].activation = pb.Dense.RELU
        policy.model.scalar.high = 1e9
    return PortablePolicy(policy)
