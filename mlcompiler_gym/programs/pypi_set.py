# SPDX-License-Identifier: Apache-2.0
"""Real-world C and C++ from the package index, as sets of programs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import Entry
from mlcompiler_gym.programs.named_set import CatalogueSet, package_of
from mlcompiler_gym.programs.program import Program, ProgramSet
from mlcompiler_gym.programs.variant import Variant

if TYPE_CHECKING:
    from mlcompiler_gym.programs.pypi import CachedBitcode


class FetchedSet(CatalogueSet):
    """Programs that are in the user's cache once they are fetched."""

    @override
    def content(self, entry: Entry, variant: Variant) -> CachedBitcode:
        from mlcompiler_gym.programs.pypi import CachedBitcode

        return CachedBitcode(entry.name, variant.architecture, variant.level)

    @override
    def load(
        self,
        variant: Variant,
        split: str | None = None,
        licences: Collection[str] | None = None,
    ) -> ProgramSet:
        programs = super().load(variant, split, licences)
        _check_cached(programs, f"{self.name}:{split}" if split else self.name, variant)
        return programs

    @override
    def find(
        self,
        name: str,
        variant: Variant,
        licences: Collection[str] | None = None,
    ) -> list[Program]:
        found = super().find(name, variant, licences)
        if found:
            _check_cached(found, package_of(name), variant)
        return found


class PyPI(FetchedSet):
    """Translation units of 63 packages."""

    name = "pypi"
    example = "pypi/lz4/lz4hc"
    description = "real-world C and C++; fetch them first"
    licence = "each package's own"
    #: uharfbuzz is half near-copies of a few templates.
    package_cap = 64


class Apps(FetchedSet):
    """Libraries among these packages, each linked with a driver to a whole program."""

    name = "apps"
    example = "apps/lz4"
    description = "real-world C, whole programs; fetch them first"
    licence = "each package's own"


def _check_cached(
    programs: Collection[Program] | ProgramSet, what: str, variant: Variant
) -> None:
    missing = [
        p for p in programs if not cast("CachedBitcode", p.content).path.is_file()
    ]
    if missing:
        options = (
            ""
            if variant == Variant()
            else (f" --target {variant.architecture} --level {variant.level}")
        )
        raise ProgramError(
            f"{len(missing)} of the {len(programs)} programs are not in the cache "
            f"(the first is {missing[0].name}); fetch them once: "
            f"`mlcompiler-gym programs fetch {what}{options}`"
        )
