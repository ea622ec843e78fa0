# SPDX-License-Identifier: Apache-2.0
"""What can be measured by running a program, and how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.measuring.paired import Paired, compare_pairs
from mlcompiler_gym.programs import Program

if TYPE_CHECKING:
    from mlcompiler_gym.validation import Limits

#: What can be measured of programs that run, and what that is.
OBJECTIVES = {
    "wall_time": "seconds by the clock from main to the end, summed over all inputs",
    "cpu_time": "seconds of processor time, summed over all inputs",
    "instructions": "instructions executed in user mode, summed over all inputs",
    "cycles": "processor cycles in user mode, summed over all inputs",
    "branch_misses": "mispredicted branches in user mode, summed over all inputs",
    "cache_misses": "misses of the last level of cache in user mode, over all inputs",
}


@dataclass(frozen=True)
class Measuring:
    """How runs are measured.

    Attributes:
        repeats: How often each build is run at least, in turn with the others. The
            first runs, which find files in no cache, do not count.
        most_repeats: How often each is run where that does not tell them apart.
            Where they are compared is after ``repeats`` runs, twice as many, four
            times as many, and so on.
        confidence: Probability that a difference that is said to be one is one, all
            comparisons together.
        precision: A ratio that is known to this part of it is known well enough.
        counter: What counts instructions. ``"hardware"``: the processor's own
            counter, if the kernel has it. ``"valgrind"``: valgrind, which takes
            fifty times as long and counts the same each time. ``"auto"``: the first
            of the two that works here. Only the processor counts cycles and misses.
        limits: What each run may use. ``None``: as for validation.
    """

    repeats: int = 7
    most_repeats: int = 28
    confidence: float = 0.95
    precision: float = 0.002
    counter: Literal["auto", "hardware", "valgrind"] = "auto"
    limits: Limits | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"repeats must be at least 1, not {self.repeats}")
        if not 0 < self.confidence < 1:
            raise ValueError(
                f"confidence is a probability below 1, not {self.confidence}"
            )
        if not self.precision >= 0:
            raise ValueError(f"precision is a part of 1, not {self.precision}")
        if self.counter not in ("auto", "hardware", "valgrind"):
            raise ValueError(
                f"counter is 'auto', 'hardware' or 'valgrind', not {self.counter!r}"
            )

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many runs of each build they are compared."""
        found = [self.repeats]
        while 2 * found[-1] <= self.most_repeats:
            found.append(2 * found[-1])
        return tuple(found)

    def compare(
        self,
        values: Sequence[float] | NDArray[np.float64],
        bases: Sequence[float] | NDArray[np.float64],
    ) -> Paired:
        """Compare runs of two builds, with the confidence that each look is left.

        Args:
            values: Values of one build, in the order in which they were made.
            bases: Values of the other build, in turn with them.
        """
        return compare_pairs(values, bases, 1 - (1 - self.confidence) / len(self.looks))


def split_objectives(
    names: Iterable[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of objectives that the service measures, and of objectives of runs."""
    every = tuple(names)
    return (
        tuple(name for name in every if name not in OBJECTIVES),
        tuple(name for name in every if name in OBJECTIVES),
    )


def check_runnable(program: Program) -> None:
    """Refuse a program that has no inputs to be run on.

    Raises:
        ProgramError: It has none.
    """
    if not program.inputs:
        raise ProgramError(
            f"program {program.name} cannot be run, and so not be measured: it has no "
            "inputs. A program with main() can be given some: Program(name, content, "
            "inputs=((),)) is one run without arguments"
        )
