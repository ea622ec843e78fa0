# SPDX-License-Identifier: Apache-2.0
"""Which packages there are, which of their files are programs, and their names."""

from collections import Counter
from pathlib import Path

import pytest
from support.pypi_index import Repository

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import SPLITS, entries_of
from mlcompiler_gym.programs.pypi import packages
from mlcompiler_gym.programs.pypi.sources import Sources, name_units, open_sources

C = "int x;\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "index")


def test_all_packages() -> None:
    assert len(packages()) == 94
    assert sum(len(packages(split)) for split in SPLITS) == 94
    assert len(packages("test")) == 10
    assert len(packages("validation")) == 12
    assert len({package.sha256 for package in packages()}) == 94


def test_the_licence_filter() -> None:
    chosen = packages(licences={"MIT", "ISC"})
    assert {package.licence for package in chosen} == {"MIT", "ISC"}
    assert "heatshrink2" in {package.name for package in chosen}
    assert packages("test", licences="MIT") == [
        package for package in packages("test") if package.licence == "MIT"
    ]


def test_misspelt_filters() -> None:
    with pytest.raises(ProgramError, match=r"under 'mit'; .*MIT"):
        packages(licences=["mit"])
    with pytest.raises(ProgramError, match="unknown split 'dev'"):
        packages("dev")


def test_the_catalogue_is_of_these_packages() -> None:
    splits = {package.name: package.split for package in packages()}
    licences = {package.name: package.licence for package in packages()}
    found: Counter[str] = Counter()
    for entry in entries_of("pypi"):
        name = entry.name.split("/")[1]
        assert (entry.split, entry.licence) == (splits[name], licences[name])
        found[name] += 1
    assert set(found) == set(splits)
    assert sum(found.values()) > 2240


def opened(
    repository: Repository, tmp_path: Path, files: list[str], **recipe: object
) -> Sources:
    package = repository.add("demo", dict.fromkeys(files, C), **recipe)
    work = tmp_path / "work"
    work.mkdir()
    return open_sources(package, repository.index, work, progress=False)


def test_libraries_only(repository: Repository, tmp_path: Path) -> None:
    files = ["b.cc", "a.c", "tests/t.c", "x/Examples/e.c", "notes.txt", "a.h"]
    sources = opened(repository, tmp_path, files)
    assert [unit.source for unit in sources.units] == ["a.c", "b.cc"]
    assert [unit.is_cxx for unit in sources.units] == [False, True]


def test_a_recipe_selects(repository: Repository, tmp_path: Path) -> None:
    sources = opened(
        repository,
        tmp_path,
        ["top/lib/a.c", "top/lib/deep/b.c", "top/lib/tests/t.c", "top/c.c", "d.c"],
        root="top",
        sources=("lib/*",),
        exclude="a",
        keep_tests=True,
    )
    assert [unit.name for unit in sources.units] == [
        "pypi/demo/lib/deep/b",
        "pypi/demo/lib/tests/t",
    ]


def test_extensions_of_python_are_left_out(
    repository: Repository, tmp_path: Path
) -> None:
    files = {"a.c": C, "module.c": f'  # include "Python.h"\n{C}'}
    package = repository.add("demo", files)
    sources = open_sources(package, repository.index, tmp_path, progress=False)
    assert [unit.source for unit in sources.units] == ["a.c"]


def test_names_are_unique() -> None:
    units = name_units("demo", ["a.c", "b/a.c", "b/a.cpp", "c.d.c"])
    assert [unit.name for unit in units] == [
        "pypi/demo/a",
        "pypi/demo/b/a.c",
        "pypi/demo/b/a.cpp",
        "pypi/demo/c.d",
    ]


def test_include_folders(repository: Repository, tmp_path: Path) -> None:
    sources = opened(
        repository, tmp_path, ["a.c", "include/lib/a.h", "z/b.hpp", "win32/pthread.h"]
    )
    assert sources.includes == [".", "include", "include/lib", "z"]


def test_configuration_headers(repository: Repository, tmp_path: Path) -> None:
    files = {"a.c": C, "t.in": "#undef A\n#undef B\n", "old": "copied"}
    package = repository.add(
        "demo",
        files,
        write={"new/config.h": "written"},
        copy={"old": "copy.h"},
        substitute={"t.in": ("t.h", [(r"^#undef (\w)$", r"#define \1 1")])},
    )
    root = open_sources(package, repository.index, tmp_path, progress=False).root
    assert (root / "new/config.h").read_text() == "written"
    assert (root / "copy.h").read_text() == "copied"
    assert (root / "t.h").read_text() == "#define A 1\n#define B 1\n"
