# SPDX-License-Identifier: Apache-2.0
"""Programs to compile: where they come from and what they are called."""

from mlcompiler_gym.programs.program import Program, ProgramSet
from mlcompiler_gym.programs.resolve import ProgramsLike, load_programs

__all__ = ["Program", "ProgramSet", "ProgramsLike", "load_programs"]
