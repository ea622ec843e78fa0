# SPDX-License-Identifier: Apache-2.0
"""Proof that optimised code still computes the same."""

from mlcompiler_gym.validation.errors import (
    LinkError,
    MachineError,
    MiscompileError,
    SandboxError,
)
from mlcompiler_gym.validation.link import link
from mlcompiler_gym.validation.reference import reference_object
from mlcompiler_gym.validation.result import Difference, Unusable, Validation
from mlcompiler_gym.validation.sandbox import Limits, Run, run
from mlcompiler_gym.validation.validate import compare_executables, validate

__all__ = [
    "Difference",
    "Limits",
    "LinkError",
    "MachineError",
    "MiscompileError",
    "Run",
    "SandboxError",
    "Unusable",
    "Validation",
    "compare_executables",
    "link",
    "reference_object",
    "run",
    "validate",
]
