# SPDX-License-Identifier: Apache-2.0
"""What a policy decides from in a build, to be compared with its training."""

from __future__ import annotations

import math

import numpy as np

from mlcompiler_gym.seen import read_seen
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

_FLOAT = np.dtype("<f4")


class Watched:
    """Counts a policy's inputs in the bins of its card.

    Args:
        policy: Its card says what its inputs were in training.
        spec: The task with the options that the policy needs.

    Raises:
        PolicyError: The card is not of this policy's inputs.
    """

    def __init__(self, policy: policy_pb2.Policy, spec: pb.TaskSpec) -> None:
        given = {option.name: option.value for option in policy.options}
        defaults = {option.name: option.default_value for option in spec.options}
        self._size = 0
        begins = {}
        for feature in spec.features:
            known = defaults | given
            if not feature.option or known[feature.option] == "true":
                begins[feature.name] = self._size
                self._size += math.prod(feature.shape)
        self._histograms = read_seen(policy)
        self._places = [
            begins[each.feature] + each.element for each in self._histograms
        ]
        self._counts = [
            np.zeros(len(each.counts), np.int64) for each in self._histograms
        ]

    def count(self, features: bytes) -> None:
        """Add decisions.

        Args:
            features: As ``PlayReply.features``.
        """
        rows = np.frombuffer(features, _FLOAT).reshape(-1, self._size)
        for counts, histogram, place in zip(
            self._counts, self._histograms, self._places, strict=True
        ):
            counts += histogram.count(rows[:, place])

    @property
    def counts(self) -> list[list[int]]:
        """The decisions in each bin, element by element."""
        return [each.tolist() for each in self._counts]
