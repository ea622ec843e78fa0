# SPDX-License-Identifier: Apache-2.0
"""Who submits what, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

import mlcompiler_gym
from mlcompiler_gym.leaderboard.errors import LeaderboardError, Problem
from mlcompiler_gym.leaderboard.tracks import Board, ClassName, Track
from mlcompiler_gym.leaderboard.typed import STRICT, Reader, Text

#: Name of the file.
CARD = "card.toml"

#: What ``new`` writes where the submitter must write something.
_OPEN = "…"


@dataclass(frozen=True)
class Card:
    """The file ``card.toml``.

    Attributes:
        title: What the submission is called on the board.
        track: Id of the track.
        class_name: Class within it.
        authors: Who made it.
        method: What was done, in a few sentences.
        code: Where the code is, or what to run.
        training_data: What was learnt from; "none" if nothing was.
        training_cost: What that took: time, compiles, money.
        hardware: On what.
        seeds: All that were used.
        llvm: LLVM's version.
        package: This package's version.
    """

    __pydantic_config__ = STRICT

    title: Annotated[str, Field(min_length=1, max_length=80)]
    track: Text
    class_name: ClassName
    authors: Annotated[tuple[Text, ...], Field(min_length=1, max_length=100)]
    method: Text
    code: Text
    training_data: Text
    training_cost: Text
    hardware: Text
    seeds: Annotated[tuple[int, ...], Field(max_length=1000)]
    llvm: Text
    package: Text


READER = Reader(Card)


def template(board: Board, track: Track, class_name: ClassName) -> str:
    """A card to be filled in.

    Raises:
        LeaderboardError: The track has no such class.
    """
    if class_name not in track.classes:
        raise LeaderboardError(
            f"track {track.id} has no class {class_name}; it has "
            + ", ".join(track.classes)
        )
    return f"""\
# What the submission is called on the board, in at most 80 characters.
title = "{_OPEN}"
track = "{track.id}"
class_name = "{class_name}"
authors = ["{_OPEN}"]
# What was done, in a few sentences.
method = "{_OPEN}"
# Where the code is, or what to run.
code = "{_OPEN}"
# What was learnt from; "none" if nothing was. See RULES.md for what may be.
training_data = "{_OPEN}"
# Time, compiles, money.
training_cost = "{_OPEN}"
hardware = "{_OPEN}"
# All that were used; [] if nothing was left to chance.
seeds = []
llvm = "{board.llvm}"
package = "{mlcompiler_gym.__version__}"
"""


def problems(card: Card, content: bytes, board: Board) -> Iterator[Problem]:
    """What is wrong with a card that can be read."""
    lines = content.decode().splitlines()

    def problem(key: str, what: str, way_out: str) -> Problem:
        begins = [
            number
            for number, line in enumerate(lines, start=1)
            if line.replace(" ", "").replace("\t", "").startswith(key + "=")
        ]
        return Problem(CARD, what, way_out, begins[0] if begins else None)

    for key, value in vars(card).items():
        texts = value if isinstance(value, tuple) else (value,)
        if _OPEN in texts:
            yield problem(key, f"{key} is not filled in", "write something there")
    for key, wanted in (("llvm", board.llvm), ("package", board.package)):
        if getattr(card, key) != wanted:
            yield problem(
                key,
                f"{key} is {getattr(card, key)!r}, and this board is of {wanted!r}",
                "make the submission with that version",
            )
    if card.track not in board.tracks:
        yield problem(
            "track",
            f"there is no track {card.track!r}",
            "take one of `mlcompiler-gym leaderboard tracks`",
        )
    elif card.class_name not in board.tracks[card.track].classes:
        classes = board.tracks[card.track].classes
        yield problem(
            "class_name",
            f"{card.track} has no class {card.class_name!r}",
            f"take one of {', '.join(classes)}",
        )
