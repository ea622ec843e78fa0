# SPDX-License-Identifier: Apache-2.0
"""Sets of programs that have a name."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import Entry, check_split, entries_of
from mlcompiler_gym.programs.files import is_program_file
from mlcompiler_gym.programs.program import Program, ProgramSet, ProgramSource
from mlcompiler_gym.programs.variant import Variant


class NamedSet(abc.ABC):
    """A set of programs, all of whose names begin with its own."""

    #: First part of the programs' names.
    name: ClassVar[str]
    #: One line for people.
    description: ClassVar[str]
    #: Under which terms its programs may be used.
    licence: ClassVar[str]
    #: Name of a program of it.
    example: ClassVar[str]

    @abc.abstractmethod
    def load(
        self,
        variant: Variant,
        split: str | None = None,
        licences: Collection[str] | None = None,
    ) -> ProgramSource:
        """All of it or one split, optionally only of some licences."""

    @abc.abstractmethod
    def find(
        self,
        name: str,
        variant: Variant,
        licences: Collection[str] | None = None,
    ) -> Sequence[Program]:
        """The programs that a name stands for; none if it stands for nothing.

        Raises:
            ProgramError: Their licence is none of ``licences``.
        """

    @abc.abstractmethod
    def names(self) -> Sequence[str]:
        """What :meth:`find` could have been asked for, for suggestions."""


class CatalogueSet(NamedSet):
    """A set whose programs are all in the committed table."""

    #: How many programs of one package count as many when programs are drawn.
    package_cap: ClassVar[int | None] = None

    @abc.abstractmethod
    def content(
        self, entry: Entry, variant: Variant
    ) -> bytes | Path | Callable[[], bytes]:
        """Where the bitcode of a program is."""

    def entries(
        self,
        variant: Variant,
        split: str | None = None,
        licences: Collection[str] | None = None,
    ) -> list[Entry]:
        """Entries of the table that there is bitcode of."""
        check_split(self.name, split)
        entries = [e for e in entries_of(self.name, split) if str(variant) in e.hashes]
        if licences is None:
            return entries
        known = {entry.licence for entry in entries}
        if unknown := sorted(set(licences) - known):
            raise ProgramError(
                f"no program of {self.name} has the licence {unknown[0]!r}; there "
                f"are: {', '.join(sorted(known))}"
            )
        return [entry for entry in entries if entry.licence in licences]

    @override
    def load(
        self,
        variant: Variant,
        split: str | None = None,
        licences: Collection[str] | None = None,
    ) -> ProgramSet:
        entries = self.entries(variant, split, licences)
        packages = Counter(package_of(entry.name) for entry in entries)
        cap = self.package_cap
        return ProgramSet(
            [self._program(entry, variant) for entry in entries],
            [
                min(1.0, cap / packages[package_of(entry.name)]) if cap else 1.0
                for entry in entries
            ],
        )

    @override
    def find(
        self,
        name: str,
        variant: Variant,
        licences: Collection[str] | None = None,
    ) -> list[Program]:
        found = [
            entry
            for entry in self.entries(variant)
            if entry.name == name or package_of(entry.name) == name
        ]
        for entry in found:
            if licences is not None and entry.licence not in licences:
                raise ProgramError(
                    f"the licence of {entry.name} is {entry.licence!r}, which is "
                    f"none of {', '.join(map(repr, licences))}"
                )
        return [self._program(entry, variant) for entry in found]

    @override
    def names(self) -> list[str]:
        return [entry.name for entry in entries_of(self.name)]

    def _program(self, entry: Entry, variant: Variant) -> Program:
        inputs = tuple(tuple(line.split()) for line in entry.inputs)
        return Program(entry.name, self.content(entry, variant), inputs or None)


def package_of(name: str) -> str:
    """``"pypi/lz4"`` of ``"pypi/lz4/lz4hc"``, a kernel itself, and a file's folder."""
    if is_program_file(name):
        return str(Path(name).parent)
    return "/".join(name.split("/")[:2])
