# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a submission or with the board, said to who wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlcompiler_gym.errors import MLCompilerGymError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file.

    Attributes:
        file: Its name within the submission.
        what: What is wrong.
        way_out: What to do about it.
        line: Where, from 1; None where lines say nothing.
    """

    file: str
    what: str
    way_out: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{place}: {self.what}; {self.way_out}"


class LeaderboardError(MLCompilerGymError):
    """The board cannot be read, or something cannot be done with it."""


class SubmissionError(LeaderboardError):
    """A submission is not what the rules ask for.

    Attributes:
        problems: All that is wrong, as far as it is known.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def refusal(
    file: str, what: str, way_out: str, line: int | None = None
) -> SubmissionError:
    """The error of one problem."""
    return SubmissionError([Problem(file, what, way_out, line)])
