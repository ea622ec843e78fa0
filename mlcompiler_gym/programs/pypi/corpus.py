# SPDX-License-Identifier: Apache-2.0
"""The packages that programs are made of: which release, and how to compile it.

``corpus.json`` has the packages, all of whose units are programs of the set
``pypi``. ``apps.json``, beside the drivers, has the programs of the set ``apps``:
which package each is linked from, and what of that package's recipe is different.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import SPLITS
from mlcompiler_gym.programs.pypi.index import Distribution

_PATH = Path(__file__).with_name("corpus.json")
_APPS = Path(__file__).parents[1] / "apps"
#: The results of whole programs must not depend on which operations are fused.
_APP_FLAGS = ("-ffp-contract=off",)


@dataclass(frozen=True)
class Recipe:
    """How the sources of a package are compiled.

    Attributes:
        root: Folder of the sources, below the top folder of the distribution.
        sources: Patterns of paths below ``root``; an asterisk stands for
            slashes too. Default: every C and C++ file.
        exclude: Regular expression of paths that are left out.
        keep_tests: Tests, examples, benchmarks and code for other platforms
            are not left out by their names.
        includes: Include folders, below ``root``. None: every folder that has
            a header, and its parent, unless it is left out.
        flags: Macros and further flags.
        cxx_standard: For C++; None: the compiler's default.
        write: Small configuration headers to create, by path.
        copy: Files to copy: to what, by the path that is there.
        substitute: Templates to instantiate: by path, the path to create and
            pairs of a regular expression and its replacement.
    """

    root: str
    sources: tuple[str, ...] = ("*",)
    exclude: str | None = None
    keep_tests: bool = False
    includes: tuple[str, ...] | None = None
    flags: tuple[str, ...] = ()
    cxx_standard: str | None = None
    write: Mapping[str, str] = field(default_factory=dict)
    copy: Mapping[str, str] = field(default_factory=dict)
    substitute: Mapping[str, tuple[str, list[tuple[str, str]]]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Package:
    """One pinned release of a package, and the programs that are made of it.

    Attributes:
        name: On the package index.
        version: The release.
        licence: As the package states it.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        sdist: File name of the source distribution.
        sha256: Hash of that file.
        recipe: How its sources are compiled.
        driver: Source of the ``main`` that all of them are linked with, to one
            program. None: each is a program by itself.
    """

    name: str
    version: str
    licence: str
    split: str
    sdist: str
    sha256: str
    recipe: Recipe = field(repr=False)
    driver: Path | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """What :func:`find_package` knows it by: ``"lz4"``, or ``"apps/lz4"``."""
        return self.name if self.driver is None else f"apps/{self.driver.stem}"

    @property
    def prefix(self) -> str:
        """How the names of its programs begin: ``"pypi/lz4/"``, or all of the name."""
        return f"pypi/{self.name}/" if self.driver is None else self.title

    @property
    def distribution(self) -> Distribution:
        """What to ask a package index for."""
        return Distribution(self.name, self.version, self.sdist, self.sha256)


@functools.cache
def read_corpus() -> dict[str, Package]:
    """All packages, by name."""
    return {
        name: _package(name, fields)
        for name, fields in json.loads(_PATH.read_text()).items()
    }


@functools.cache
def read_apps() -> dict[str, Package]:
    """What whole programs are linked from, by their names."""
    corpus = read_corpus()
    apps = {}
    for name, fields in json.loads((_APPS / "apps.json").read_text()).items():
        package = corpus[fields["package"]]
        recipe = replace(package.recipe, **_recipe_fields(fields["recipe"]))
        app = replace(
            package,
            recipe=replace(recipe, flags=(*_APP_FLAGS, *recipe.flags)),
            driver=_APPS / "src" / f"{name}.c",
        )
        apps[app.title] = app
    return apps


def _package(name: str, fields: dict[str, Any]) -> Package:
    recipe = Recipe(**_recipe_fields(fields.pop("recipe")))
    return Package(name, recipe=recipe, **fields)


def _recipe_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in fields.items()
    }


def apps(
    split: str | None = None, *, licences: Collection[str] | None = None
) -> list[Package]:
    """What whole programs are linked from; as :func:`packages`."""
    return _select(read_apps().values(), split, licences)


def packages(
    split: str | None = None, *, licences: Collection[str] | None = None
) -> list[Package]:
    """The packages, by name.

    Args:
        split: Only those of ``"train"``, ``"validation"`` or ``"test"``.
        licences: Only those under one of these, written as in
            :attr:`Package.licence`.
    """
    return _select(read_corpus().values(), split, licences)


def _select(
    known: Iterable[Package], split: str | None, licences: Collection[str] | None
) -> list[Package]:
    if split is not None and split not in SPLITS:
        raise ProgramError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
    if licences is not None:
        licences = [licences] if isinstance(licences, str) else licences
        _check_licences(licences, {package.licence for package in known})
    return [
        package
        for package in known
        if split in (None, package.split)
        and (licences is None or package.licence in licences)
    ]


def _check_licences(asked: Collection[str], known: set[str]) -> None:
    # A filter that is misspelt would silently select nothing.
    if unknown := sorted(set(asked) - known):
        raise ProgramError(
            f"no package is under {', '.join(map(repr, unknown))}; the licences are: "
            + ", ".join(sorted(known))
        )


def find_package(name: str) -> Package:
    """The package called ``name``, or what the app ``"apps/NAME"`` is linked from."""
    known = read_apps() if name.startswith("apps/") else read_corpus()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ProgramError(
            f"unknown package {name!r}{hint} There are: {', '.join(known)}"
        )
    return known[name]
