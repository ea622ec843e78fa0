# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when runs of a program are measured."""

from mlcompiler_gym.errors import MLCompilerGymError


class MeasureError(MLCompilerGymError):
    """A run is no measure: it crashed, took too long or printed something else."""


class CountersError(MLCompilerGymError):
    """Instructions cannot be counted on this machine in the way asked for."""
