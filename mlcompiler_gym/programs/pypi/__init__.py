# SPDX-License-Identifier: Apache-2.0
"""Programs from the package index: real-world C and C++ as bitcode.

Pinned source distributions come through the index that pip is configured with
and are compiled, never built or run. The bitcode is the same on every machine,
lies in the user's cache directory (or ``MLCOMPILER_GYM_CACHE``), and is checked
against the catalogue.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import (
    ARCHITECTURES,
    LEVELS,
    entries_of,
    read_catalogue,
)
from mlcompiler_gym.programs.pypi.cache import Cache, cache_root
from mlcompiler_gym.programs.pypi.corpus import (
    Package,
    Recipe,
    apps,
    find_package,
    packages,
)
from mlcompiler_gym.programs.pypi.errors import (
    ArchiveError,
    CacheError,
    CompileError,
    DistributionNotFoundError,
    DownloadError,
    HashMismatchError,
    IndexUnreachableError,
)
from mlcompiler_gym.programs.pypi.fetch import Fetcher
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.report import Failure, FetchReport
from mlcompiler_gym.programs.pypi.store import Shelf
from mlcompiler_gym.programs.pypi.toolchain import install_toolchain

__all__ = [
    "ARCHITECTURES",
    "LEVELS",
    "ArchiveError",
    "CacheError",
    "CachedBitcode",
    "CompileError",
    "DistributionNotFoundError",
    "DownloadError",
    "Failure",
    "FetchReport",
    "HashMismatchError",
    "IndexUnreachableError",
    "Package",
    "Recipe",
    "apps",
    "bitcode_path",
    "fetch",
    "packages",
]


def bitcode_path(name: str, architecture: str = "x86_64", level: str = "Oz") -> Path:
    """Where a program's bitcode is, or will be once it is fetched.

    Args:
        name: For example ``"pypi/lz4/lz4hc"``.
        architecture: One of :data:`ARCHITECTURES`.
        level: One of :data:`LEVELS`.
    """
    variant = _variant(architecture, level)
    entry = read_catalogue().get(name)
    if entry is None or entry.set_name not in ("apps", "pypi"):
        raise ProgramError(f"unknown program {name!r} of the package index")
    if variant not in entry.hashes:
        raise ProgramError(f"{name} does not compile for {architecture} at -{level}")
    package = find_package(_title(name))
    return Shelf(Cache(cache_root()), package, variant).path(name)


def fetch(
    packages: Iterable[str],
    *,
    architecture: str = "x86_64",
    level: str = "Oz",
    jobs: int | None = None,
    progress: bool = True,
    verify: bool = False,
) -> FetchReport:
    """Make sure that the bitcode of packages is in the cache.

    What fails is reported, and does not keep the rest from being made. What is
    there is not made again, also after an interruption; several processes may
    do this at once.

    Args:
        packages: Names of packages, such as ``"lz4"``, and of apps, such as
            ``"apps/lz4"``.
        architecture: One of :data:`ARCHITECTURES`.
        level: One of :data:`LEVELS`.
        jobs: Files compiled at once. Default: one for each processor.
        progress: Whether to show progress bars.
        verify: Hash all that is in the cache, and make again what is damaged.

    Raises:
        ProgramError: A package is unknown, the compiler cannot be had, or the
            cache cannot be written.
    """
    if isinstance(packages, str):
        packages = [packages]
    variant = _variant(architecture, level)
    chosen = {name: find_package(name) for name in packages}
    cache, index = Cache(cache_root()), Index()
    fetcher = Fetcher(
        cache,
        index,
        lambda: install_toolchain(cache, index, progress=progress),
        jobs=jobs or len(os.sched_getaffinity(0)),
        progress=progress,
    )
    return fetcher.fetch(
        list(chosen.values()), variant, _hashes(variant), verify=verify
    )


@dataclass(frozen=True)
class CachedBitcode:
    """Reads a program's bitcode from the cache, and believes the catalogue alone.

    Attributes:
        name: For example ``"pypi/lz4/lz4hc"``.
        architecture: One of :data:`ARCHITECTURES`.
        level: One of :data:`LEVELS`.
    """

    name: str
    architecture: str = "x86_64"
    level: str = "Oz"

    @property
    def path(self) -> Path:
        """Where it is, or will be once it is fetched."""
        return bitcode_path(self.name, self.architecture, self.level)

    def __call__(self) -> bytes:
        """The bitcode; where the file has another hash, it is fetched again.

        Raises:
            ProgramError: It cannot be read, or not be made again.
        """
        if (bitcode := self._read()) is not None:
            return bitcode
        print(
            f"{self.path} is not the bitcode that the catalogue has of {self.name}; "
            "fetching it again",
            file=sys.stderr,
        )
        report = fetch(
            [_title(self.name)],
            architecture=self.architecture,
            level=self.level,
            progress=False,
            verify=True,
        )
        if (bitcode := self._read()) is None:
            raise ProgramError(f"{self.name} cannot be made again: {report}")
        return bitcode

    def _read(self) -> bytes | None:
        try:
            bitcode = self.path.read_bytes()
        except OSError as error:
            raise ProgramError(
                f"program {self.name}: cannot read {self.path}: {error.strerror}"
            ) from error
        wanted = read_catalogue()[self.name].hashes[f"{self.architecture}-{self.level}"]
        return bitcode if hashlib.sha256(bitcode).hexdigest() == wanted else None


def _hashes(variant: str) -> dict[str, dict[str, str]]:
    """SHA-256 by title of the package, then by program."""
    found: dict[str, dict[str, str]] = {}
    for entry in (*entries_of("pypi"), *entries_of("apps")):
        if variant in entry.hashes:
            title = _title(entry.name)
            found.setdefault(title, {})[entry.name] = entry.hashes[variant]
    return found


def _title(name: str) -> str:
    """Title of the package that a program is made of."""
    return name if name.startswith("apps/") else name.split("/", 2)[1]


def _variant(architecture: str, level: str) -> str:
    if architecture not in ARCHITECTURES or level not in LEVELS:
        raise ProgramError(
            f"there is no bitcode for {architecture} at -{level}; there is for "
            f"{', '.join(ARCHITECTURES)}, at {', '.join(f'-{one}' for one in LEVELS)}"
        )
    return f"{architecture}-{level}"
