# SPDX-License-Identifier: Apache-2.0
"""Tuning LLVM's parameters for one program: ask for some, and tell what they gave."""

from mlcompiler_gym.tuning.tune import Tuning, tune
from mlcompiler_gym.tuning.tuner import SAMPLERS, Tried, Tuner

__all__ = ["SAMPLERS", "Tried", "Tuner", "Tuning", "tune"]
