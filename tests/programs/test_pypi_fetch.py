# SPDX-License-Identifier: Apache-2.0
"""Packages become bitcode, once, and what fails says so."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.pypi_index import (
    FILES,
    VARIANT,
    Repository,
    clang,
    fetch,
    runs,
    slow_clang,
    url_of,
)

from mlcompiler_gym.errors import MissingLibraryError, ProgramError
from mlcompiler_gym.programs import pypi
from mlcompiler_gym.programs.pypi.cache import Cache, cache_root
from mlcompiler_gym.programs.pypi.errors import CacheError
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.pip_config import PipConfig
from mlcompiler_gym.programs.pypi.store import Shelf
from mlcompiler_gym.programs.pypi.toolchain import Toolchain

SMALL = {"small.c": "int one(void) { return 1; }\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "index")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def files_in(cache: Path) -> list[str]:
    """Everything but locks and stamps, by name."""
    return sorted(
        path.name
        for path in cache.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.name != "complete"
    )


def test_a_package_becomes_bitcode(repository: Repository, cache: Path) -> None:
    package = repository.add("demo")
    report = fetch(cache, [package], repository.hashes(package), repository.index)
    assert str(report) == "3 compiled, 0 already there"
    assert files_in(cache) == ["add.bc", "many.bc", "twice.bc"], "or sources stay"
    path = Shelf(Cache(cache), package, VARIANT).path("pypi/demo/src/add")
    assert path.read_bytes()[:2] == b"BC"


def test_the_second_time_nothing_is_done(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    packages = [repository.add("demo"), repository.add("small", SMALL)]
    hashes = repository.hashes(*packages)
    fetch(cache, packages, hashes, repository.index)
    nowhere = Index(PipConfig(indexes=()))
    report = fetch(cache, packages, hashes, nowhere, slow_clang(tmp_path))
    assert (report.compiled, report.present, report.failures) == (0, 4, [])
    assert runs(tmp_path) == 0


def test_what_was_deleted_is_made_again(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    package = repository.add("demo")
    hashes = repository.hashes(package)
    fetch(cache, [package], hashes, repository.index)
    Shelf(Cache(cache), package, VARIANT).path("pypi/demo/src/add").unlink()
    report = fetch(cache, [package], hashes, repository.index, slow_clang(tmp_path))
    assert (report.compiled, report.present) == (1, 2)
    assert runs(tmp_path) == 1


def test_a_file_that_does_not_compile(repository: Repository, cache: Path) -> None:
    broken = FILES | {"src/add.c": "#error on purpose\nint add(\n"}
    package = repository.add("demo", broken)
    report = fetch(cache, [package], repository.hashes(package), repository.index)
    assert report.compiled == 2
    (failure,) = report.failures
    assert failure.name == "pypi/demo/src/add"
    assert failure.reason.startswith("src/add.c:1:2: error: on purpose\n")
    assert str(report).startswith(
        "2 compiled, 0 already there, 1 failed\n  pypi/demo/src/add:\n    src/add.c:1"
    )


def test_what_failed_is_tried_again(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    broken = FILES | {"src/add.c": "#error on purpose\n"}
    package = repository.add("demo", broken)
    hashes = repository.hashes(package)
    fetch(cache, [package], hashes, repository.index)
    report = fetch(cache, [package], hashes, repository.index, slow_clang(tmp_path))
    assert (report.present, len(report.failures), runs(tmp_path)) == (2, 1, 1)


def test_other_bitcode_is_a_failure_and_not_kept(
    repository: Repository, cache: Path
) -> None:
    package = repository.add("demo")
    hashes = repository.hashes(package)
    hashes["demo"]["pypi/demo/src/twice"] = "1" * 64
    report = fetch(cache, [package], hashes, repository.index)
    assert report.compiled == 2
    (failure,) = report.failures
    assert failure.name == "pypi/demo/src/twice"
    assert failure.reason.startswith("HASH MISMATCH: ")
    assert "1" * 64 in failure.reason
    assert files_in(cache) == ["add.bc", "many.bc"]


def test_units_without_a_hash_are_not_compiled(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    package = repository.add("demo")
    hashes = repository.hashes(package)
    del hashes["demo"]["pypi/demo/src/add"]
    report = fetch(cache, [package], hashes, repository.index, slow_clang(tmp_path))
    assert (report.compiled, runs(tmp_path)) == (2, 2)
    report = fetch(cache, [package], {}, repository.index, slow_clang(tmp_path))
    assert (report.compiled, report.present, runs(tmp_path)) == (0, 0, 2)


def test_a_unit_that_is_not_in_the_package(repository: Repository, cache: Path) -> None:
    package = repository.add("demo")
    hashes = repository.hashes(package)
    hashes["demo"]["pypi/demo/src/gone"] = "1" * 64
    report = fetch(cache, [package], hashes, repository.index)
    assert report.compiled == 3
    assert [failure.name for failure in report.failures] == ["pypi/demo/src/gone"]


def test_bitcode_of_an_older_catalogue_is_replaced(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    package = repository.add("demo")
    hashes = repository.hashes(package)
    fetch(cache, [package], hashes, repository.index)
    stale = Shelf(Cache(cache), package, VARIANT)
    stale.add("pypi/demo/src/add", b"old")
    stale.stamp(dict.fromkeys(hashes["demo"], "old"))
    report = fetch(cache, [package], hashes, repository.index, slow_clang(tmp_path))
    assert (report.compiled, report.present, runs(tmp_path)) == (1, 2, 1)
    assert stale.path("pypi/demo/src/add").read_bytes() != b"old"


def test_one_package_that_fails_does_not_stop_the_rest(
    repository: Repository, cache: Path
) -> None:
    packages = [repository.add("demo"), repository.add("small", SMALL)]
    hashes = repository.hashes(*packages)
    repository.sdist(packages[0]).write_bytes(b"something else")
    report = fetch(cache, packages, hashes, repository.index)
    assert report.compiled == 1
    (failure,) = report.failures
    assert failure.name == "demo"
    assert "not the file that was pinned" in failure.reason
    assert files_in(cache) == ["small.bc"]


def test_what_is_wrong_with_all_is_said_once(
    repository: Repository, cache: Path
) -> None:
    packages = [repository.add("demo"), repository.add("small", SMALL)]
    hashes = repository.hashes(*packages)
    report = fetch(cache, packages, hashes, Index(PipConfig(indexes=())))
    assert len(report.failures) == 2
    assert "\n  demo, small:\n    no index can be reached" in str(report)


def test_an_archive_that_reaches_outside_is_a_failure(
    repository: Repository, cache: Path
) -> None:
    evil = (tarfile.TarInfo("demo-1.0/../../../evil"), b"")
    packages = [
        repository.add("demo", FILES, evil),
        repository.add("small", SMALL),
    ]
    hashes = {"demo": {"pypi/demo/src/add": "1" * 64}}
    hashes |= repository.hashes(packages[1])
    report = fetch(cache, packages, hashes, repository.index)
    assert report.compiled == 1
    assert "reaches outside" in report.failures[0].reason
    assert files_in(cache) == ["small.bc"]


def test_a_compiler_that_dies(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    package = repository.add("small", SMALL)
    hashes = repository.hashes(package)
    script = tmp_path / "dying"
    script.write_text("#!/bin/sh\nkill -SEGV $$\n")
    script.chmod(0o755)
    report = fetch(
        cache, [package], hashes, repository.index, Toolchain((str(script),))
    )
    assert "killed by signal 11" in report.failures[0].reason


def test_a_cache_that_cannot_be_written(repository: Repository, tmp_path: Path) -> None:
    package = repository.add("small", SMALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="MLCOMPILER_GYM_CACHE"):
        fetch(
            tmp_path / "file" / "cache",
            [package],
            repository.hashes(package),
            repository.index,
        )


def test_the_public_call_uses_pip_and_the_cache_directory(
    repository: Repository,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = repository.add("demo")
    hashes = repository.hashes(package)
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(cache))
    monkeypatch.setattr(pypi, "install_toolchain", lambda *_, **__: clang())
    monkeypatch.setattr(pypi, "find_package", lambda _: package)
    monkeypatch.setattr(pypi, "_hashes", lambda _: hashes)
    with repository.served() as server:
        monkeypatch.setenv("PIP_INDEX_URL", url_of(server))
        # Bars are for terminals.
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        report = pypi.fetch("demo")
    assert str(report) == "3 compiled, 0 already there"
    assert "x86_64-Oz:" in capsys.readouterr().err
    assert files_in(cache) == ["add.bc", "many.bc", "twice.bc"]


@pytest.mark.parametrize("target", [("sparc", "Oz"), ("x86_64", "O3")])
def test_only_some_targets(target: tuple[str, str]) -> None:
    with pytest.raises(ProgramError, match="there is for x86_64, aarch64, at -Oz"):
        pypi.fetch(["lz4"], architecture=target[0], level=target[1])


def test_unknown_names() -> None:
    with pytest.raises(ProgramError, match="did you mean lz4"):
        pypi.fetch(["lz5"])
    with pytest.raises(ProgramError, match="unknown program"):
        pypi.bitcode_path("pypi/lz5/lz4hc")


@pytest.mark.parametrize("name", ["filelock", "tqdm", "unearth"])
def test_a_missing_library_says_what_to_install(
    name: str, repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = repository.add("small", SMALL)
    hashes = repository.hashes(package)
    for module in (name, "unearth.auth", "unearth.fetchers", "tqdm.auto"):
        if module.startswith(name):
            monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingLibraryError, match=r"mlcompiler_gym\[programs\]"):
        fetch(cache, [package], hashes, repository.index)


def test_the_cache_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("MLCOMPILER_GYM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "mlcompiler_gym"
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(MissingLibraryError, match="platformdirs"):
        cache_root()


def test_what_is_there_needs_no_library(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('filelock', 'platformdirs', 'tqdm', 'unearth', 'httpx2'):\n"
        "    sys.modules[name] = None\n"
        "from mlcompiler_gym.programs import pypi\n"
        "assert pypi.packages()\n"
        "assert str(pypi.fetch([])) == '0 compiled, 0 already there'\n"
    )
    environment = os.environ | {"MLCOMPILER_GYM_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
