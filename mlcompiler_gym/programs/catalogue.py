# SPDX-License-Identifier: Apache-2.0
"""The table of all programs that have a fixed name: splits, licences, hashes.

``catalogue.csv`` lies beside this file, one line for each program, to be read by
people and compared by version control. Trajectories and leaderboards name
programs by the hash of their bitcode, so it says what that has to be.
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.files import write_file

#: Architectures that programs are compiled for.
ARCHITECTURES = ("x86_64", "aarch64")
#: What the front end marks functions for; nothing is optimised yet.
LEVELS = ("Oz", "O2")
#: ``architecture-level``, of each bitcode that a program has.
VARIANTS = tuple(f"{a}-{level}" for a in ARCHITECTURES for level in LEVELS)
#: What the programs of a set are divided into, by package.
SPLITS = ("train", "validation", "test")

_PATH = Path(__file__).with_name("catalogue.csv")
_COLUMNS = ("name", "split", "licence", "inputs", *VARIANTS)


@dataclass(frozen=True)
class Entry:
    """One program.

    Attributes:
        name: For example ``"kernels/regex"``; what comes before the first slash
            is the set.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        licence: As the package states it.
        inputs: Command lines of the runs that :mod:`mlcompiler_gym.validation`
            compares, each split at blanks; empty: not a program that runs.
        hashes: SHA-256 of the bitcode in hexadecimal, by variant. A variant
            that is not there does not compile.
    """

    name: str
    split: str
    licence: str
    inputs: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def set_name(self) -> str:
        """Name of the set, for example ``"kernels"``."""
        return self.name.split("/", 1)[0]


@functools.cache
def read_catalogue() -> dict[str, Entry]:
    """All entries by name, in the order of their names."""
    entries = {}
    with _PATH.open(newline="") as file:
        for row in csv.DictReader(file):
            entries[row["name"]] = Entry(
                name=row["name"],
                split=row["split"],
                licence=row["licence"],
                inputs=tuple(filter(None, row["inputs"].split(";"))),
                hashes={v: row[v] for v in VARIANTS if row[v]},
            )
    return entries


def write_catalogue(entries: Iterable[Entry]) -> None:
    """Replace the table. For maintainers, after a change to the programs."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in sorted(entries, key=lambda entry: entry.name):
        writer.writerow(
            (
                entry.name,
                entry.split,
                entry.licence,
                ";".join(entry.inputs),
                *(entry.hashes.get(variant, "") for variant in VARIANTS),
            )
        )
    write_file(_PATH, text.getvalue().encode())
    read_catalogue.cache_clear()


def check_split(set_name: str, split: str | None) -> None:
    """Refuse what is not the name of a split; None stands for all of a set."""
    if split is not None and split not in SPLITS:
        raise ProgramError(
            f"{set_name} has the splits {', '.join(SPLITS)}, not {split!r}"
        )


def entries_of(set_name: str, split: str | None = None) -> list[Entry]:
    """Entries of one set, and of one of its splits."""
    return [
        entry
        for entry in read_catalogue().values()
        if entry.set_name == set_name and split in (None, entry.split)
    ]
