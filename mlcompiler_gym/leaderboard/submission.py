# SPDX-License-Identifier: Apache-2.0
"""What a submission says, and whether it says what it said when it was packed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.leaderboard import card as cards
from mlcompiler_gym.leaderboard import entries as entry_files
from mlcompiler_gym.leaderboard.card import CARD, Card
from mlcompiler_gym.leaderboard.contents import (
    ARCHIVES,
    MANIFEST,
    POLICY,
    read_files,
)
from mlcompiler_gym.leaderboard.entries import TRAJECTORIES, Entry
from mlcompiler_gym.leaderboard.errors import (
    Problem,
    SubmissionError,
    refusal,
)
from mlcompiler_gym.leaderboard.tracks import Board
from mlcompiler_gym.leaderboard.typed import STRICT, Reader, Sha256
from mlcompiler_gym.policies import PortablePolicy

T = TypeVar("T")

_FORMAT = "mlcompiler_gym submission 1"
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class Manifest:
    """The file ``manifest.json``.

    Attributes:
        format: Format of the submission.
        card: Digest of the card, of what it says.
        trajectories: Digest of the trajectories, of what they say.
        policy: SHA-256 of the policy's file.
    """

    __pydantic_config__ = STRICT

    format: str
    card: Sha256
    trajectories: Sha256 | None = None
    policy: Sha256 | None = None


_READER = Reader(Manifest)


@dataclass(frozen=True)
class Submission:
    """A submission that is well formed and says what it said when it was packed.

    Attributes:
        name: Name of the folder.
        card: Who and how.
        entries: An entry for each program, unless there is a policy.
        policy: Content of the policy's file; None: trajectories.
        digest: SHA-256 of all that it says.
    """

    name: str
    card: Card
    entries: tuple[Entry, ...]
    policy: bytes | None
    digest: str


def name_of(path: Path) -> str:
    """What a submission is called.

    Raises:
        SubmissionError: Its folder cannot be called so.
    """
    name = path.resolve().name
    for suffix in ARCHIVES:
        name = name.removesuffix(suffix)
    if not _NAME.fullmatch(name):
        raise refusal(
            name,
            "a submission is not to be called so",
            "take small letters, digits and dashes, 64 at most",
        )
    return name


def read(path: str | os.PathLike[str], board: Board) -> Submission:
    """Read a submission, and check all that can be known without a compiler.

    Args:
        path: A folder, or a tar archive of one.
        board: What it is submitted to.

    Raises:
        SubmissionError: Something is wrong with it; all of it that is known.
    """
    where = Path(path)
    name = name_of(where)
    files = read_files(where)
    found: list[Problem] = []
    card = _try(found, lambda: read_card(files))
    if card is not None:
        found += cards.problems(card, files[CARD], board)
    manifest = _try(found, lambda: _READER.from_json(_need(files, MANIFEST), MANIFEST))
    if manifest is not None and manifest.format != _FORMAT:
        found.append(
            Problem(
                MANIFEST,
                f"its format is {manifest.format!r} and not {_FORMAT!r}",
                "pack the submission with this version",
            )
        )
    entries: list[Entry] | None = []
    plays = card is not None and card.class_name == "policy"
    wanted = POLICY if plays else TRAJECTORIES
    for other in {POLICY, TRAJECTORIES} - {wanted}:
        if card is not None and other in files:
            found.append(
                Problem(other, f"class {card.class_name} has none", "remove it")
            )
    if not plays:
        entries = _try(
            found, lambda: entry_files.read_entries(_need(files, TRAJECTORIES))
        )
    else:
        _try(found, lambda: _check_policy(_need(files, POLICY)))
    if card is not None and entries is not None and manifest is not None:
        found += _compare(manifest, seal(card, entries, files.get(POLICY)))
        track = board.tracks.get(card.track)
        if track is not None and not plays:
            found += entry_files.problems(
                entries, track, card.class_name, track.hashes()
            )
    if found or card is None or entries is None or manifest is None:
        raise SubmissionError(found)
    return Submission(
        name,
        card,
        tuple(entries),
        files.get(POLICY) if plays else None,
        _READER.digest(manifest),
    )


def read_card(files: Mapping[str, bytes]) -> Card:
    """The card of a submission.

    Raises:
        SubmissionError: It cannot be read.
    """
    return cards.READER.from_toml(_need(files, CARD), CARD)


def seal(card: Card, entries: list[Entry], policy: bytes | None) -> Manifest:
    """What the manifest is to say."""
    plays = policy is not None
    return Manifest(
        _FORMAT,
        cards.READER.digest(card),
        None if plays else entry_files.digest_entries(entries),
        hashlib.sha256(policy).hexdigest() if policy is not None else None,
    )


def write(
    folder: Path, card: Card, entries: list[Entry], policy: bytes | None = None
) -> None:
    """Write what was packed beside a card that is there."""
    if policy is None:
        write_file(folder / TRAJECTORIES, entry_files.write_entries(entries))
    else:
        write_file(folder / POLICY, policy)
    text = _READER.to_json(seal(card, entries, policy), indent=2) + "\n"
    write_file(folder / MANIFEST, text.encode())


def _compare(manifest: Manifest, actual: Manifest) -> list[Problem]:
    files = {"card": CARD, "trajectories": TRAJECTORIES, "policy": POLICY}
    return [
        Problem(
            file,
            "it says something else than when the submission was packed",
            "undo the change, or pack again: `mlcompiler-gym leaderboard pack`",
        )
        for key, file in files.items()
        if getattr(manifest, key) != getattr(actual, key)
    ]


def _try(found: list[Problem], read: Callable[[], T]) -> T | None:
    """What can be read, or None and why not."""
    try:
        return read()
    except SubmissionError as error:
        found += error.problems
        return None


def _check_policy(content: bytes) -> None:
    try:
        PortablePolicy.from_bytes(content)
    except PolicyError as error:
        raise refusal(
            POLICY, str(error), "save a whole one with PortablePolicy.save"
        ) from error


def _need(files: Mapping[str, bytes], name: str) -> bytes:
    if name in files:
        return files[name]
    command = "new" if name == CARD else "pack"
    raise refusal(
        name, "it is missing", f"`mlcompiler-gym leaderboard {command}` writes it"
    )
