# SPDX-License-Identifier: Apache-2.0
"""Numbers of all magnitudes, by their logarithms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.policies.export.inputs import Inputs

#: A number counts by its logarithm, in units of this size. Features are often shares of
#: the largest, and frequencies have all magnitudes.
_UNIT = 1e-4
#: The number that counts as the largest.
_LARGEST = 1e30
#: What the logarithm of a number is at most.
LARGEST_LOG = 32.0


def log_inputs(compilers: CompilerVectorEnv, untouched: str) -> Inputs:
    """The features by their logarithms, except one, which stays as it is."""
    inputs = Inputs(compilers)
    for name in inputs.names:
        if name == untouched:
            continue
        inputs.clip(-_LARGEST, _LARGEST, only=name)
        inputs.scale_feature(name, np.zeros(1), np.full(1, 1 / _UNIT))
        inputs.signed_log(only=name)
        inputs.clip(-LARGEST_LOG, LARGEST_LOG, only=name)
    return inputs


def logarithms(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Numbers as :func:`log_inputs` makes them, of any shape."""
    wide = np.nan_to_num(features.astype(np.float64), nan=0.0)
    clipped = np.clip(wide, -_LARGEST, _LARGEST) / _UNIT
    logs: NDArray[np.float64] = np.sign(clipped) * np.log1p(np.abs(clipped))
    return logs.clip(-LARGEST_LOG, LARGEST_LOG)
