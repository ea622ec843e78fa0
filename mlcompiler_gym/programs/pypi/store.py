# SPDX-License-Identifier: Apache-2.0
"""The bitcode of packages in the cache: where it lies and whether all is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs.pypi.cache import Cache
from mlcompiler_gym.programs.pypi.corpus import Package

#: Written last, when all bitcode of a variant is there.
_STAMP = "complete"


class Shelf:
    """Bitcode of one package in one variant.

    Args:
        cache: What it is a part of.
        package: Whose bitcode.
        variant: Architecture and level, for example ``"x86_64-Oz"``.
    """

    def __init__(self, cache: Cache, package: Package, variant: str) -> None:
        self._cache = cache
        self._prefix = package.prefix
        set_name, _, name = self._prefix.rstrip("/").partition("/")
        # A package that is pinned again does not mix with what was there.
        release = f"{name}-{package.version}-{package.sha256[:12]}"
        #: Holds all variants. One process at a time works in it.
        self.package_folder = cache.root / set_name / release
        self._folder = self.package_folder / variant

    def path(self, name: str) -> Path:
        """Where the bitcode of a program is, or would be."""
        file = name.removeprefix(self._prefix) or name.rpartition("/")[2]
        return self._folder / f"{file}.bc"

    def is_complete(self, hashes: Mapping[str, str]) -> bool:
        """Whether exactly these programs, by hash, have been stored."""
        try:
            stamp = (self._folder / _STAMP).read_text()
        except OSError:
            return False
        # A file is hashed when it is read; here, one may have been deleted.
        return stamp == _digest(hashes) and all(
            self.path(name).is_file() for name in hashes
        )

    def missing(self, hashes: Mapping[str, str]) -> list[str]:
        """Those programs whose bitcode is not here, or is another."""
        return [name for name, sha256 in hashes.items() if self._sha256(name) != sha256]

    def _sha256(self, name: str) -> str | None:
        try:
            with self.path(name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None

    def sweep(self) -> None:
        """Remove what writers that were killed have left; for the lock's holder."""
        for path in self.package_folder.rglob("*.partial"):
            path.unlink(missing_ok=True)

    def add(self, name: str, bitcode: bytes) -> None:
        """Store a program's bitcode, all of it or nothing."""
        self._write(self.path(name), bitcode)

    def stamp(self, hashes: Mapping[str, str]) -> None:
        """Note that all programs are stored."""
        self._write(self._folder / _STAMP, _digest(hashes).encode())

    def _write(self, path: Path, content: bytes) -> None:
        with self._cache.errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_file(path, content)
            except MLCompilerGymError as error:
                if isinstance(error.__cause__, OSError):
                    raise error.__cause__ from None
                raise


def _digest(hashes: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
