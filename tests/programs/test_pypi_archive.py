# SPDX-License-Identifier: Apache-2.0
"""Archives are unpacked into their folder, or not at all."""

import tarfile
from pathlib import Path

import pytest
from support.pypi_index import make_sdist

from mlcompiler_gym.programs.pypi import archive
from mlcompiler_gym.programs.pypi.archive import unpack_tar
from mlcompiler_gym.programs.pypi.errors import ArchiveError


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    return made


def unpack(tmp_path: Path, *extra: tarfile.TarInfo, content: bytes = b"") -> Path:
    packed = tmp_path / "demo-1.0.tar.gz"
    packed.write_bytes(
        make_sdist("demo", {"a.c": "text"}, *((one, content) for one in extra))
    )
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    unpack_tar(packed, folder)
    return folder / "demo-1.0"


@pytest.mark.parametrize(
    "name", ["../../evil", "demo-1.0/../../../evil", "/tmp/evil", "..\\evil"]
)
def test_paths_that_lead_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="reaches outside"):
        unpack(tmp_path, member(name), content=b"evil")
    assert not list(tmp_path.rglob("*evil*"))


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    top = unpack(
        tmp_path,
        member("demo-1.0/way", tarfile.SYMTYPE, str(outside)),
        member("demo-1.0/way/evil"),
    )
    assert list(outside.iterdir()) == []
    assert (top / "way" / "evil").is_file()


@pytest.mark.parametrize(
    ("kind", "link"), [(tarfile.SYMTYPE, "a.c"), (tarfile.LNKTYPE, "demo-1.0/a.c")]
)
def test_links_become_copies(tmp_path: Path, kind: bytes, link: str) -> None:
    top = unpack(tmp_path, member("demo-1.0/b.c", kind, link))
    assert not (top / "b.c").is_symlink()
    assert (top / "b.c").read_text() == "text"


def test_links_that_name_each_other(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        unpack(
            tmp_path,
            member("demo-1.0/b", tarfile.SYMTYPE, "c"),
            member("demo-1.0/c", tarfile.SYMTYPE, "b"),
        )


def test_devices_are_left_out(tmp_path: Path) -> None:
    top = unpack(
        tmp_path,
        member("demo-1.0/pipe", tarfile.FIFOTYPE),
        member("demo-1.0/disk", tarfile.BLKTYPE),
    )
    assert [path.name for path in top.iterdir()] == ["a.c"]


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tmp_path, member("demo-1.0/a.c/b"))


def test_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_SIZE_LIMIT", 1000)
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        unpack(tmp_path, member("demo-1.0/big"), content=bytes(2000))


def test_much_by_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_SIZE_LIMIT", 10)
    links = [
        member(f"demo-1.0/{number}", tarfile.LNKTYPE, "demo-1.0/a.c")
        for number in range(3)
    ]
    with pytest.raises(ArchiveError, match="more than 10 bytes"):
        unpack(tmp_path, *links)


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_a_damaged_archive(tmp_path: Path, keep: int) -> None:
    packed = tmp_path / "demo-1.0.tar.gz"
    packed.write_bytes(make_sdist("demo", {"a.c": "text" * 1000})[:keep])
    with pytest.raises(ArchiveError, match=r"demo-1.0.tar.gz cannot be unpacked"):
        unpack_tar(packed, tmp_path / "folder")
