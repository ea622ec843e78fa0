# SPDX-License-Identifier: Apache-2.0
"""Small policies, and decisions to try policies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.v1 import policy_pb2 as pb
from mlcompiler_gym.v1.compiler_service_pb2 import Option


@dataclass(frozen=True)
class Seen:
    """Decisions of an episode: observations, and masks if there are any."""

    observations: Any
    masks: NDArray[np.int8] | None


def observe(env: gymnasium.Env[Any, Any], decisions: int, program: str = "") -> Seen:
    """What is seen in an episode that is decided at random."""
    rng = np.random.default_rng(0)
    options = {"program": program} if program else None
    observation, info = env.reset(seed=0, options=options)
    observations: list[Any] = []
    masks: list[NDArray[np.int8]] = []
    while len(observations) < decisions:
        observations.append(observation)
        if "action_mask" in info:
            masks.append(info["action_mask"])
            action = rng.choice(np.flatnonzero(masks[-1]))
        elif isinstance(env.action_space, gymnasium.spaces.Discrete):
            action = rng.integers(int(env.action_space.n))
        else:
            action = rng.uniform(size=1).astype(np.float32)
        observation, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            observation, info = env.reset()
    if isinstance(observations[0], dict):
        stacked: Any = {
            name: np.stack([each[name] for each in observations])
            for name in observations[0]
        }
    else:
        stacked = np.stack(observations)
    return Seen(stacked, np.stack(masks) if masks else None)


def two_features() -> pb.Policy:
    """Two actions from the features ``a`` (2 elements) and ``b``, by a network."""
    policy = pb.Policy(task="inlining", options=[Option(name="x", value="true")])
    first = policy.model.inputs.add(feature="a", elements=2)
    first.transforms.add(signed_log=pb.SignedLog())
    first.transforms.add(scale=pb.Scale(shift=[1.0], factor=[2.0, 0.5]))
    first.transforms.add(clip=pb.Clip(low=-2, high=2))
    policy.model.inputs.add(feature="b", elements=1)
    network = policy.model.network
    network.layers.add(
        outputs=2,
        weights=[1, -1, 0.5, 2, -0.25, 0.125],
        biases=[0.1, -0.1],
        activation=pb.Dense.TANH,
    )
    network.layers.add(outputs=2, weights=[1, 2, 3, -4], biases=[0, 0.5])
    policy.model.categorical.SetInParent()
    policy.card.author = "the tests"
    return policy


def two_trees() -> pb.Policy:
    """A continuous action from ``a`` (2 elements), by boosted trees."""
    policy = pb.Policy(task="regalloc_priority")
    policy.model.inputs.add(feature="a", elements=2)
    trees = policy.model.trees
    trees.base.append(0.5)
    for step in (1.0, -0.25):
        trees.trees.add(
            input=[0, 1, 0, 0, 0],
            threshold=[0.5, -1.5, 0, 0, 0],
            left=[1, 2, 0, 0, 0],
            right=[4, 3, 0, 0, 0],
            value=[0, 0, step, 2 * step, 3 * step],
        )
    policy.model.scalar.low = -1
    policy.model.scalar.high = 2
    return policy


def inlines_what_is_cheap(**options: str) -> pb.Policy:
    """Inlines where LLVM estimates a negative cost."""
    policy = pb.Policy(
        task="inlining",
        options=[Option(name=name, value=value) for name, value in options.items()],
    )
    policy.model.inputs.add(feature="cost_estimate", elements=1)
    policy.model.network.layers.add(outputs=1, weights=[-1], biases=[0.5])
    policy.model.bernoulli.SetInParent()
    policy.card.author = "the tests"
    return policy


def random_network(setup: Setup) -> PortablePolicy:
    """Decides by a random network of everything that is seen."""
    rng = np.random.default_rng(7)
    policy = pb.Policy(task=setup.config.task)
    model = policy.model
    zero = setup.features.zero()
    size = 0
    for name in setup.features.names:
        elements = int(np.size(setup.features.pick(zero, name)))
        one = model.inputs.add(feature=name, elements=elements)
        one.transforms.add(signed_log=pb.SignedLog())
        size += elements
    count = int(getattr(setup.actions.space, "n", 1))
    for inputs, outputs in ((size, 16), (16, count)):
        model.network.layers.add(
            outputs=outputs,
            weights=(rng.normal(size=inputs * outputs) / np.sqrt(inputs)).tolist(),
            biases=rng.normal(size=outputs).tolist(),
            activation=pb.Dense.TANH if inputs == size else pb.Dense.IDENTITY,
        )
    if hasattr(setup.actions.space, "n"):
        model.categorical.SetInParent()
    else:
        model.scalar.low = 0
        model.scalar.high = 1000
        model.scalar.log_deviation = -1
    return PortablePolicy(policy)
