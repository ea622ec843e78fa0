# SPDX-License-Identifier: Apache-2.0
"""What a submission says of each program: what was decided, and what came of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mlcompiler_gym.leaderboard.errors import Problem, SubmissionError, refusal
from mlcompiler_gym.leaderboard.tracks import ClassName, Track
from mlcompiler_gym.leaderboard.typed import STRICT, Reader, Sha256, Text

#: Name of the file: JSON Lines, compressed.
TRAJECTORIES = "trajectories.jsonl.gz"

#: Bytes that the file may have after decompression, and that a line of it may have.
_SIZE = 512 << 20
_LINE = 16 << 20

#: The number of a choice.
_Number = Annotated[int, Field(ge=0, lt=1 << 63)]
#: An action: the number of a discrete one, a priority, or several choices.
_Action = _Number | float | tuple[_Number, ...]


@dataclass(frozen=True)
class Entry:
    """One program.

    Attributes:
        program: Its name.
        program_sha256: Hash of its bitcode.
        actions: Every action in order.
        compiles: Compiles of this program that it took to find them; None: unknown.
        value: Claimed value of the objective.
        baseline: The same with LLVM's own decisions.
        object_sha256: Hash of the object file.
    """

    __pydantic_config__ = STRICT

    program: Text
    program_sha256: Sha256
    actions: tuple[_Action, ...]
    compiles: Annotated[int, Field(ge=1)] | None
    value: Annotated[float, Field(ge=0)]
    baseline: Annotated[float, Field(ge=0)]
    object_sha256: Sha256


_READER = Reader(Entry)


def write_entries(entries: Iterable[Entry]) -> bytes:
    """As the file has them; the same entries give the same bytes."""
    text = "".join(_READER.to_json(entry) + "\n" for entry in entries)
    return gzip.compress(text.encode(), mtime=0)


def digest_entries(entries: Sequence[Entry]) -> str:
    """SHA-256 of what they say, however it is written down."""
    each = "".join(map(_READER.digest, entries))
    return hashlib.sha256(each.encode()).hexdigest()


def read_entries(content: bytes) -> list[Entry]:
    """Read the file.

    Raises:
        SubmissionError: It is damaged, too large, or says something else.
    """
    entries: list[Entry] = []
    problems: list[Problem] = []
    for number, line in enumerate(_lines(content), start=1):
        if not line.strip():
            continue
        try:
            entries.append(_READER.from_json(line, TRAJECTORIES, number))
        except SubmissionError as error:
            problems += error.problems
    if problems:
        raise SubmissionError(problems)
    return entries


def _lines(content: bytes) -> Iterator[bytes]:
    """Lines of a compressed file, which may say that there is no end of them."""
    left = _SIZE
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while line := file.readline(_LINE + 1):
                left -= len(line)
                if len(line) > _LINE or left < 0:
                    raise _problem(
                        f"it unpacks to more than {_SIZE >> 20} MiB, or to a line of "
                        f"more than {_LINE >> 20} MiB",
                        "submit shorter trajectories",
                    )
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise _problem(
            f"it is not a complete gzip file: {error}",
            "pack the submission again",
        ) from error


def _problem(what: str, way_out: str) -> SubmissionError:
    return refusal(TRAJECTORIES, what, way_out)


def problems(
    entries: Sequence[Entry],
    track: Track,
    class_name: ClassName,
    hashes: Mapping[str, str],
) -> Iterator[Problem]:
    """What is wrong with entries that can be read."""
    counts = Counter(entry.program for entry in entries)
    for name in hashes:
        if name not in counts:
            yield Problem(
                TRAJECTORIES,
                f"{name} is missing",
                f"submit a trajectory of every program of {track.programs}",
            )
    for line, entry in enumerate(entries, start=1):
        yield from _problems_of(entry, line, track, class_name, hashes)
        if counts[entry.program] > 1:
            yield Problem(
                TRAJECTORIES,
                f"{entry.program} is there {counts[entry.program]} times",
                "submit one trajectory of each program",
                line,
            )


def _problems_of(
    entry: Entry,
    line: int,
    track: Track,
    class_name: ClassName,
    hashes: Mapping[str, str],
) -> Iterator[Problem]:
    wanted = hashes.get(entry.program)
    if wanted is None:
        yield Problem(
            TRAJECTORIES,
            f"{entry.program} is no program of {track.programs}",
            "remove it",
            line,
        )
    elif wanted != entry.program_sha256:
        yield Problem(
            TRAJECTORIES,
            f"{entry.program} has SHA-256 {entry.program_sha256}, and at level "
            f"{track.level} of {track.programs} it is {wanted}",
            "make the trajectory with the programs of the track",
            line,
        )
    if len(entry.actions) > track.max_actions:
        yield Problem(
            TRAJECTORIES,
            f"{entry.program} has {len(entry.actions)} actions, and the track allows "
            f"{track.max_actions}",
            "submit a shorter trajectory",
            line,
        )
    limit = budget(class_name)
    if class_name.startswith("search") and entry.compiles is None:
        yield Problem(
            TRAJECTORIES,
            f"{entry.program} does not say how many compiles it took",
            "say so (`pack --compiles`), or enter the class open",
            line,
        )
    elif limit is not None and (entry.compiles or 0) > limit:
        yield Problem(
            TRAJECTORIES,
            f"{entry.program} took {entry.compiles} compiles, and {class_name} allows "
            f"{limit}",
            "enter a class that allows more",
            line,
        )


def budget(class_name: ClassName) -> int | None:
    """Compiles of each program that a class allows; None: no limit."""
    _, dash, number = class_name.partition("-")
    return int(number) if dash else None
