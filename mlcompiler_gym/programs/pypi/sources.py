# SPDX-License-Identifier: Apache-2.0
"""From an unpacked source distribution to a list of units to compile."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from mlcompiler_gym.programs.pypi.archive import unpack_tar
from mlcompiler_gym.programs.pypi.corpus import Package, Recipe
from mlcompiler_gym.programs.pypi.errors import ArchiveError
from mlcompiler_gym.programs.pypi.index import Index

_C = (".c",)
_CXX = (".cc", ".cpp", ".cxx")
_HEADERS = (".h", ".hh", ".hpp", ".hxx", ".inc")
#: Drivers lie here, in a package's own source root: what is compiled has the same
#: path everywhere.
_DRIVER_FOLDER = "mlcompiler_gym_driver"
_KERNEL_HEADER = Path(__file__).parents[1] / "kernels" / "src" / "kernel.h"
#: Needs Python's headers, which differ from machine to machine.
_PYTHON = re.compile(rb"^\s*#\s*include\s*[<\"]Python\.h", re.MULTILINE)
#: Folders that are no part of the library itself, or are for another platform.
_ASIDE = re.compile(
    r"(^|/)(tests?|testing|examples?|samples?|demos?|bench(marks?)?|fuzz(ing)?"
    r"|contrib|swig|win(32|64|dows)?|vms|msvc|macosx?|aarch64|ppc64le|riscv64)/",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Unit:
    """One translation unit.

    Attributes:
        name: The program's name, for example ``"pypi/lz4/lz4hc"``.
        source: Path relative to the source root.
        is_cxx: Whether it is C++.
    """

    name: str
    source: str
    is_cxx: bool


@dataclass(frozen=True)
class Sources:
    """A package, ready to compile.

    Attributes:
        recipe: How.
        root: Where the compiler runs.
        includes: Include folders relative to ``root``.
        units: What programs are made of, in the order of their paths.
        library: What is compiled as well, and linked to each of them.
    """

    recipe: Recipe
    root: Path
    includes: list[str]
    units: list[Unit]
    library: list[Unit]


def open_sources(
    package: Package, index: Index, work: Path, *, progress: bool
) -> Sources:
    """Download a package, unpack it in ``work`` and select what is compiled."""
    archive = index.download(package.distribution, work, progress=progress)
    unpacked = work / "unpacked"
    unpack_tar(archive, unpacked)
    root = _prepare(package, unpacked)
    units, library = _find_units(package, root), []
    includes = _include_folders(package.recipe, root)
    if package.driver is not None:
        units, library = [_add_driver(package, package.driver, root)], units
    return Sources(package.recipe, root, includes, units, library)


def _add_driver(package: Package, driver: Path, root: Path) -> Unit:
    """Copy a driver, and what it may include, to where the compiler is run."""
    folder = root / _DRIVER_FOLDER
    folder.mkdir()
    for path in (driver, *driver.parent.glob("*.h"), _KERNEL_HEADER):
        shutil.copyfile(path, folder / path.name)
    return Unit(package.title, f"{_DRIVER_FOLDER}/{driver.name}", is_cxx=False)


def _prepare(package: Package, unpacked: Path) -> Path:
    tops = [path for path in unpacked.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise ArchiveError(f"{package.sdist} has {len(tops)} top folders, not one")
    recipe = package.recipe
    root = tops[0] / recipe.root
    if not root.is_dir():
        raise ArchiveError(f"{package.sdist} has no folder {recipe.root}")
    for path, text in recipe.write.items():
        _create(root / path, text)
    for path, copy in recipe.copy.items():
        shutil.copyfile(root / path, root / copy)
    for path, (instance, rules) in recipe.substitute.items():
        text = (root / path).read_text()
        for pattern, replacement in rules:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        _create(root / instance, text)
    return root


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _find_units(package: Package, root: Path) -> list[Unit]:
    return name_units(
        package.name,
        [
            path
            for path in _files(root, (*_C, *_CXX))
            if _is_selected(path, package.recipe)
            and not _PYTHON.search((root / path).read_bytes())
        ],
    )


def name_units(package: str, sources: Iterable[str]) -> list[Unit]:
    """Units for source files: named without suffix, unless two would clash."""
    paths = [PurePosixPath(source) for source in sources]
    stems = Counter(path.with_suffix("") for path in paths)
    return [
        Unit(
            name=f"pypi/{package}/"
            + str(path if stems[path.with_suffix("")] > 1 else path.with_suffix("")),
            source=str(path),
            is_cxx=path.suffix in _CXX,
        )
        for path in paths
    ]


def _include_folders(recipe: Recipe, root: Path) -> list[str]:
    if recipe.includes is not None:
        return list(recipe.includes)
    headers = [path for path in _files(root, _HEADERS) if not _ASIDE.search(path)]
    folders = {PurePosixPath(header).parent for header in headers}
    return sorted(map(str, folders | {folder.parent for folder in folders}))


def _files(root: Path, suffixes: tuple[str, ...]) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix in suffixes and path.is_file()
    )


def _is_selected(path: str, recipe: Recipe) -> bool:
    if not any(fnmatchcase(path, pattern) for pattern in recipe.sources):
        return False
    if recipe.exclude and re.search(recipe.exclude, path):
        return False
    return recipe.keep_tests or not _ASIDE.search(path)
