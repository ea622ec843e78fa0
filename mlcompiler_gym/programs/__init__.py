# SPDX-License-Identifier: Apache-2.0
"""Programs to compile: where they come from and what they are called."""

from mlcompiler_gym.programs.loop_times import loop_times
from mlcompiler_gym.programs.program import Program, ProgramSet, ProgramSource
from mlcompiler_gym.programs.resolve import (
    NAMED_SETS,
    ProgramsLike,
    known_sets,
    load_programs,
)

__all__ = [
    "NAMED_SETS",
    "Program",
    "ProgramSet",
    "ProgramSource",
    "ProgramsLike",
    "known_sets",
    "load_programs",
    "loop_times",
]
