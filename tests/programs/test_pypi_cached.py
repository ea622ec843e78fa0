# SPDX-License-Identifier: Apache-2.0
"""Bitcode in the cache is what the catalogue says, or is made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pypi_index import VARIANT, Repository, clang, fetch

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs import pypi
from mlcompiler_gym.programs.catalogue import Entry
from mlcompiler_gym.programs.program import Program
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.pip_config import PipConfig

NAME = "pypi/demo/src/add"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pypi.CachedBitcode:
    """A package of an index of our own, fetched, as if it were in the catalogue."""
    repository = Repository(tmp_path / "index")
    package = repository.add("demo")
    hashes = repository.hashes(package)
    entries = {
        name: Entry(name, "train", "MIT", hashes={VARIANT: sha256})
        for name, sha256 in hashes["demo"].items()
    }
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pypi, "read_catalogue", lambda: entries)
    monkeypatch.setattr(pypi, "entries_of", lambda _: list(entries.values()))
    monkeypatch.setattr(pypi, "find_package", lambda _: package)
    monkeypatch.setattr(pypi, "Index", lambda: repository.index)
    monkeypatch.setattr(pypi, "install_toolchain", lambda *_, **__: clang())
    fetch(tmp_path / "cache", [package], hashes, repository.index)
    return pypi.CachedBitcode(NAME)


def damages(whole: bytes, other: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "longer": whole + b"\0",
        "one bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "another program": other,
    }


@pytest.mark.parametrize("damage", damages(b"x", b""))
def test_what_is_not_the_catalogues_is_fetched_again(
    cached: pypi.CachedBitcode, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    whole = Program(NAME, cached).bitcode
    assert capsys.readouterr().err == ""
    other = pypi.CachedBitcode("pypi/demo/src/many").path.read_bytes()
    cached.path.write_bytes(damages(whole, other)[damage])
    assert Program(NAME, cached).bitcode == whole
    assert cached.path.read_bytes() == whole
    error = capsys.readouterr().err
    assert str(cached.path) in error
    assert "fetching it again" in error
    cached.path.write_bytes(damages(whole, other)[damage])
    assert pypi.fetch(["demo"], progress=False).compiled == 0
    report = pypi.fetch(["demo"], progress=False, verify=True)
    assert (report.compiled, report.present) == (1, 2)
    assert cached.path.read_bytes() == whole


def test_what_cannot_be_fetched_again_is_refused(
    cached: pypi.CachedBitcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.path.write_bytes(b"BC")
    monkeypatch.setattr(pypi, "Index", lambda: Index(PipConfig(indexes=())))
    with pytest.raises(ProgramError, match=f"{NAME} cannot be made again"):
        cached()


def test_what_writers_that_were_killed_left_is_swept(
    cached: pypi.CachedBitcode,
) -> None:
    left = cached.path.with_name(".add.bc.0123456789abcdef.partial")
    left.write_bytes(b"BC")
    pypi.fetch(["demo"], progress=False, verify=True)
    assert not left.exists()
