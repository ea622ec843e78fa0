# SPDX-License-Identifier: Apache-2.0
"""A decision by a policy that is data: networks and trees, warm, one at a time.

Features are as sparse as LLVM's: half of the 38 of inlining are 0, and 88% of the 661
of evictions. Each of 2,000 decisions is made by itself, one after the other, in the
native evaluator. The signed logarithm of the inputs is part of it.
"""

from __future__ import annotations

import itertools
import statistics
from time import perf_counter

import numpy as np

from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb

ROWS = 2_000


def network(shape: tuple[int, ...], activation: pb.Dense.Activation) -> PortablePolicy:
    rng = np.random.default_rng(0)
    policy = pb.Policy(task="benchmark")
    one = policy.model.inputs.add(feature="x", elements=shape[0])
    one.transforms.add(signed_log=pb.SignedLog())
    for inputs, outputs in itertools.pairwise(shape):
        policy.model.network.layers.add(
            outputs=outputs,
            weights=(rng.normal(size=inputs * outputs) / np.sqrt(inputs)).tolist(),
            biases=rng.normal(size=outputs).tolist(),
            activation=activation,
        )
    policy.model.network.layers[-1].activation = pb.Dense.IDENTITY
    if shape[-1] == 1:
        policy.model.bernoulli.SetInParent()
    else:
        policy.model.categorical.SetInParent()
    return PortablePolicy(policy)


def trees(count: int, depth: int) -> PortablePolicy:
    rng = np.random.default_rng(0)
    policy = pb.Policy(task="benchmark")
    policy.model.inputs.add(feature="x", elements=38)
    policy.model.trees.base.append(0)
    inner, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    leaves = [0] * (nodes - inner)
    for _ in range(count):
        policy.model.trees.trees.add(
            input=[*rng.integers(38, size=inner).tolist(), *leaves],
            threshold=[*rng.normal(scale=50, size=inner).tolist(), *leaves],
            left=[*(2 * node + 1 for node in range(inner)), *leaves],
            right=[*(2 * node + 2 for node in range(inner)), *leaves],
            value=[*[0.0] * inner, *rng.normal(size=nodes - inner).tolist()],
        )
    policy.model.bernoulli.SetInParent()
    return PortablePolicy(policy)


def measure(name: str, policy: PortablePolicy, elements: int, share: float) -> None:
    rng = np.random.default_rng(1)
    rows = np.round(rng.normal(scale=50, size=(ROWS, elements))).astype(np.float32)
    rows[rng.uniform(size=rows.shape) > share] = 0
    times = []
    for _ in range(50):
        began = perf_counter()
        policy.decide(rows)
        times.append((perf_counter() - began) * 1e6 / ROWS)
    median = statistics.median(times)
    print(f"{name:<28} {min(times):6.2f} µs (median of 50: {median:.2f})")


def run() -> None:
    for name, activation in (("relu", pb.Dense.RELU), ("tanh", pb.Dense.TANH)):
        measure(f"38-64-64-1 {name}", network((38, 64, 64, 1), activation), 38, 0.5)
        measure(
            f"661-64-64-33 {name}", network((661, 64, 64, 33), activation), 661, 0.12
        )
    measure(
        "661-64-64-33 relu, no zeros", network((661, 64, 64, 33), pb.Dense.RELU), 661, 1
    )
    measure("100 trees of depth 5", trees(100, 5), 38, 0.5)
