# SPDX-License-Identifier: Apache-2.0
"""Sets that users have made of their own code, each under a name of its own.

A set is a folder of bitcode with its manifest. Its name is a symbolic link to it, in
one folder for each user, so that all projects of a user know it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from typing_extensions import override

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import check_split
from mlcompiler_gym.programs.extracted import Extracted, is_extracted, read_manifest
from mlcompiler_gym.programs.named_set import NamedSet
from mlcompiler_gym.programs.program import Program, ProgramSet
from mlcompiler_gym.programs.variant import Variant

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def sets_folder() -> Path:
    """``MLCOMPILER_GYM_SETS``, or a folder of the user's data."""
    if chosen := os.environ.get("MLCOMPILER_GYM_SETS"):
        return Path(chosen).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data) / "mlcompiler_gym/sets"


def name_set(name: str, folder: Path, taken: Collection[str]) -> None:
    """Give a folder of programs a name.

    Args:
        name: The name; it replaces what it was the name of before.
        folder: With a manifest.
        taken: Names that cannot be used.

    Raises:
        ProgramError: The name cannot be used, or cannot be written down.
    """
    if not _NAME.fullmatch(name) or name in taken:
        raise ProgramError(
            f"{name!r} cannot be the name of a set: it is to begin with a letter, to "
            f"have letters, digits, '_', '.' and '-', and not to be one of "
            f"{', '.join(taken)}"
        )
    link = sets_folder() / name
    new = link.with_name(f".{name}.{os.getpid()}")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        new.symlink_to(folder.resolve(), target_is_directory=True)
        new.replace(link)
    except OSError as error:
        raise ProgramError(f"cannot name the set in {link.parent}: {error}") from error


def own_sets() -> dict[str, NamedSet]:
    """All sets that users have named, by name; not those whose folder is gone."""
    try:
        names = sorted(os.listdir(sets_folder()))
    except OSError:
        return {}
    return {name: OwnSet(name) for name in names if find_set(name) is not None}


def find_set(name: str) -> OwnSet | None:
    """The set that a user has named so; None if there is none."""
    if not _NAME.fullmatch(name) or not is_extracted(str(sets_folder() / name)):
        return None
    return OwnSet(name)


def object_of(name: str) -> str:
    """The build's own name of a program's object; empty if there is none."""
    found = find_set(name.partition("/")[0])
    if found is None:
        return ""
    outputs = {found.name_of(each): each.output for each in found.entries()}
    return outputs.get(name, "")


class OwnSet(NamedSet):
    """A user's own code: ``mine``, ``mine:train``, ``mine/src/parse.c``."""

    licence = "your own"

    def __init__(self, name: str) -> None:
        # Other sets have these as attributes of their class; here, each has its own.
        self.name = name  # type: ignore[misc]
        self.folder = (sets_folder() / name).resolve()
        self.description = f"your own code, in {self.folder}"  # type: ignore[misc]
        self.example = next(iter(self.names()), name)  # type: ignore[misc]

    def entries(self, split: str | None = None) -> list[Extracted]:
        """What the manifest says of the programs of all of it, or of one split."""
        check_split(self.name, split)
        entries = read_manifest(self.folder)
        return [each for each in entries if split in (None, each.split)]

    def name_of(self, entry: Extracted) -> str:
        """What a program is called."""
        return f"{self.name}/{entry.file.removesuffix('.bc')}"

    @override
    def load(
        self,
        variant: Variant,
        split: str | None = None,
        licences: Collection[str] | None = None,
    ) -> ProgramSet:
        found = list(self._programs(self.entries(split), licences))
        if not found:
            raise ProgramError(f"there are no programs in {self.name}:{split}")
        return ProgramSet(found)

    @override
    def find(
        self,
        name: str,
        variant: Variant,
        licences: Collection[str] | None = None,
    ) -> list[Program]:
        wanted = [
            each
            for each in self.entries()
            if self.name_of(each) == name or self.name_of(each).startswith(f"{name}/")
        ]
        return list(self._programs(wanted, licences))

    @override
    def names(self) -> list[str]:
        return [self.name_of(each) for each in self.entries()]

    def _programs(
        self, entries: list[Extracted], licences: Collection[str] | None
    ) -> Iterator[Program]:
        if licences is not None:
            raise ProgramError(f"{self.name} is your own code, and has no licence here")
        for each in entries:
            yield Program(self.name_of(each), self.folder / each.file)
