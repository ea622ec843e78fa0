# SPDX-License-Identifier: Apache-2.0
"""What came of verifying a submission, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from mlcompiler_gym.files import write_file
from mlcompiler_gym.leaderboard.card import Card
from mlcompiler_gym.leaderboard.errors import LeaderboardError, SubmissionError
from mlcompiler_gym.leaderboard.tracks import Board
from mlcompiler_gym.leaderboard.typed import STRICT, Reader, Sha256, Text

#: ``refused``: it is not what it says. ``flagged``: too good to be believed before a
#: person has looked.
Status: TypeAlias = Literal["accepted", "flagged", "refused"]


@dataclass(frozen=True)
class Finding:
    """Something about one program that is not as it should be.

    Attributes:
        program: Which one.
        kind: ``"suspicious"`` is for a person to judge; all others are refused.
        message: For the submitter.
    """

    __pydantic_config__ = STRICT

    program: str
    kind: str
    message: str


@dataclass(frozen=True)
class Row:
    """One program, as the verifier found it.

    Attributes:
        program: Its name.
        value: The objective's value.
        baseline: The same with LLVM's own decisions.
        decisions: How many there were.
        compiles: That it took to find them.
        object_sha256: Hash of the object file.
        validation: Whether it computes the same: ``"same"``, why it cannot tell, or
            ``"not run"``.
    """

    __pydantic_config__ = STRICT

    program: str
    value: float
    baseline: float
    decisions: int
    compiles: int | None
    object_sha256: str
    validation: str


@dataclass(frozen=True)
class Times:
    """What was measured on the verifier's machine, and is another number elsewhere.

    Attributes:
        compile_ratio: Time of the compiles against that of LLVM's own.
        decision_microseconds: Time of a decision; None: nothing decides.
    """

    __pydantic_config__ = STRICT

    compile_ratio: float
    decision_microseconds: float | None = None


@dataclass(frozen=True)
class Private:
    """What a policy came to on programs that only the verifier has.

    Attributes:
        programs: How many there are.
        ratio: Geometric mean of the ratios against LLVM.
        interval: Lower and upper end of its 95% interval.
        worse: Part of the programs that are worse than LLVM's.
    """

    __pydantic_config__ = STRICT

    programs: int
    ratio: float
    interval: tuple[float, float] | None
    worse: float


@dataclass(frozen=True)
class Verdict:
    """A submission that was verified.

    Attributes:
        submission: Name of its folder.
        digest: Digest of the submission.
        card: Who and how.
        llvm: LLVM's version that it was verified with.
        status: What became of it.
        findings: Why, if it was not accepted.
        rows: A row for each program that could be compiled.
        policy_bytes: Size of the policy's file; None: there is none.
        times: What was measured.
        private: What it came to on a private set, if there was one.
    """

    __pydantic_config__ = STRICT

    submission: str
    digest: str
    card: Card
    llvm: str
    status: Status
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    policy_bytes: int | None
    times: Times | None
    private: Private | None = None

    def report(self) -> str:
        """For the submitter."""
        lines = [f"{self.submission}: {self.status}"]
        for each in self.findings:
            lines.append(f"{each.program}: {each.kind}: {each.message}")
        return "\n".join(lines)


_READER = Reader(Verdict)


def write_verdict(board: Board, verdict: Verdict) -> Path:
    """Write it where ``rank`` and ``site`` look for it."""
    board.verified.mkdir(exist_ok=True)
    path = board.verified / f"{verdict.submission}.json"
    write_file(path, (_READER.to_json(verdict, indent=1) + "\n").encode())
    return path


@dataclass(frozen=True)
class Review:
    """What a person says of a flagged submission after having looked.

    Attributes:
        digest: Digest of the submission, so that it holds for no other.
        by: Who looked.
        reason: Why the gain is what it seems to be.
    """

    __pydantic_config__ = STRICT

    digest: Sha256
    by: Text
    reason: Text


@dataclass(frozen=True)
class _Reviews:
    """The file ``reviews.toml``."""

    __pydantic_config__ = STRICT

    reviews: tuple[Review, ...] = ()


def read_reviews(board: Board) -> dict[str, Review]:
    """By digest.

    Raises:
        SubmissionError: The file cannot be read.
    """
    path = board.folder / "reviews.toml"
    if not path.exists():
        return {}
    read = Reader(_Reviews).from_toml(path.read_bytes(), str(path))
    return {review.digest: review for review in read.reviews}


def read_verdicts(board: Board) -> Iterator[Verdict]:
    """All there are, by name; flagged ones that were looked at are accepted.

    Raises:
        LeaderboardError: One of them cannot be read.
    """
    reviews = read_reviews(board)
    for path in sorted(board.verified.glob("*.json")):
        try:
            verdict = _READER.from_json(path.read_bytes(), str(path))
        except (OSError, SubmissionError) as error:
            raise LeaderboardError(
                f"{error}\nverify the submission again, or remove {path}"
            ) from error
        reviewed = verdict.status == "flagged" and verdict.digest in reviews
        yield replace(verdict, status="accepted") if reviewed else verdict
