# SPDX-License-Identifier: Apache-2.0
"""What a validation found."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from mlcompiler_gym.validation.errors import MiscompileError
from mlcompiler_gym.validation.sandbox import Run

#: Why a program cannot tell right from wrong.
Problem: TypeAlias = Literal["not deterministic", "invalid reference"]

Status: TypeAlias = Literal["same", "different"] | Problem

DifferenceKind: TypeAlias = Literal[
    "timed out", "signal", "endless output", "exit status", "output"
]


class Decisions(Protocol):
    """What led to some code; a :class:`~mlcompiler_gym.Trajectory` is such."""

    def to_json(self) -> str:
        """As one line of JSON."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file."""


@dataclass(frozen=True)
class Difference:
    """An input on which the optimised code does something else.

    Attributes:
        input: Arguments of the program.
        expected: What the unoptimised code did.
        actual: What the optimised code did.
        repeatable: Whether it did the same when it was run once more.
    """

    input: tuple[str, ...]
    expected: Run
    actual: Run
    repeatable: bool = True

    @property
    def kind(self) -> DifferenceKind:
        """The plainest thing that differs."""
        if self.actual.timed_out:
            return "timed out"
        if self.actual.signal is not None:
            return "signal"
        if self.actual.truncated:
            return "endless output"
        if self.actual.status != self.expected.status:
            return "exit status"
        return "output"


@dataclass(frozen=True)
class Unusable:
    """An input on which the unoptimised code is no measure.

    Attributes:
        input: Arguments of the program.
        problem: ``"invalid reference"``: it crashed or reached a limit;
            ``"not deterministic"``: it did two things in two runs.
        first: What the unoptimised code did.
        second: What it did the second time; the first if that says enough.
    """

    input: tuple[str, ...]
    problem: Problem
    first: Run
    second: Run


@dataclass(frozen=True)
class Validation:
    """Whether optimised code computes the same as unoptimised code.

    Attributes:
        program: Name of the program.
        program_sha256: Hash of its bytes, in hexadecimal.
        inputs: The arguments of each run that was compared.
        differences: The inputs on which the code differs, in order.
        unusable: The inputs that tell nothing, in order.
        trajectory: The decisions that led to the code, if known.
        trajectory_file: Where they were saved, if they were.
    """

    program: str
    program_sha256: str
    inputs: tuple[tuple[str, ...], ...]
    differences: tuple[Difference, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    trajectory: Decisions | None = None
    trajectory_file: str | None = None

    @property
    def status(self) -> Status:
        """``"same"``, ``"different"``, or why the program cannot tell."""
        if self.differences:
            return "different"
        problems = [unusable.problem for unusable in self.unusable]
        return min(problems, default="same", key=_PROBLEMS.index)

    @property
    def ok(self) -> bool:
        """Whether every input was compared and none differs."""
        return self.status == "same"

    def with_trajectory(
        self, trajectory: Decisions, save_to: str | os.PathLike[str] | None = None
    ) -> Validation:
        """This, with the decisions that led to the code.

        Args:
            trajectory: A complete episode.
            save_to: A file to write them to, for the report to name. Without one
                they are part of the report.
        """
        if save_to is not None:
            trajectory.save(save_to)
            save_to = os.fspath(save_to)
        return replace(self, trajectory=trajectory, trajectory_file=save_to)

    def report(self) -> str:
        """What was found, as text to read."""
        # The report is not needed where all is well, which is nearly always.
        from mlcompiler_gym.validation.report import report

        return report(self)

    def raise_if_wrong(self) -> None:
        """Raise if the code is wrong; a program that cannot tell is no proof of it.

        Raises:
            MiscompileError: There are differences. Its message is the report.
        """
        if self.differences:
            raise MiscompileError(self)


_PROBLEMS: tuple[Status, ...] = ("not deterministic", "invalid reference")
