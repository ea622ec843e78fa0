# SPDX-License-Identifier: Apache-2.0
"""Objectives of programs that run: how long they take, and how much they execute.

What runs a program is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

from mlcompiler_gym.measuring.errors import CountersError, MeasureError
from mlcompiler_gym.measuring.paired import Paired
from mlcompiler_gym.measuring.settings import (
    OBJECTIVES,
    Measuring,
    check_runnable,
    split_objectives,
)

if TYPE_CHECKING:
    from mlcompiler_gym.measuring.profiles import profile, profiled
    from mlcompiler_gym.measuring.runs import Sample, measure

__all__ = [
    "OBJECTIVES",
    "CountersError",
    "MeasureError",
    "Measuring",
    "Paired",
    "Sample",
    "check_runnable",
    "measure",
    "profile",
    "profiled",
    "split_objectives",
]


def __getattr__(name: str) -> Any:
    if name in ("Sample", "measure"):
        from mlcompiler_gym.measuring import runs

        return getattr(runs, name)
    if name in ("profile", "profiled"):
        from mlcompiler_gym.measuring import profiles

        return getattr(profiles, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
