# SPDX-License-Identifier: Apache-2.0
"""Unpacking what came from elsewhere, without believing its paths.

Only regular files are ever written: a link in an archive becomes a copy of the
member that it names, so no path leads through a link. (tarfile's own filter is
newer than the Python 3.11.2 of Debian 12.)
"""

from __future__ import annotations

import contextlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from mlcompiler_gym.programs.pypi.errors import ArchiveError

#: Bytes of all files of an archive together: several times what any pinned one has.
_SIZE_LIMIT = 2 << 30
_COUNT_LIMIT = 100_000


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack a source distribution into a new folder.

    Raises:
        ArchiveError: A member would land outside, or there is too much of it.
    """
    with _broken_archives(archive), tarfile.open(archive) as tar:
        room = _Room(archive)
        for member in tar:
            target = _inside(folder, member.name, archive)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isfile() or member.islnk() or member.issym():
                # A link to something that is not in the archive is left out.
                with contextlib.suppress(KeyError):
                    content = tar.extractfile(member)
                    if content is not None:
                        room.write(content, target)


def unpack_zip(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> None:
    """Unpack the members of a wheel whose name is wanted into a new folder."""
    with _broken_archives(archive), zipfile.ZipFile(archive) as wheel:
        room = _Room(archive)
        for member in wheel.infolist():
            if member.is_dir() or not wanted(member.filename):
                continue
            target = _inside(folder, member.filename, archive)
            with wheel.open(member) as content:
                room.write(content, target)
            if member.external_attr >> 16 & 0o100:
                target.chmod(0o755)


class _Room:
    """How much more an archive may write."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._size = _SIZE_LIMIT
        self._count = _COUNT_LIMIT

    def write(self, content: IO[bytes], target: Path) -> None:
        self._count -= 1
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            # The size that a member claims may be wrong.
            while self._count >= 0 and (chunk := content.read(1 << 20)):
                self._size -= len(chunk)
                if self._size < 0:
                    break
                file.write(chunk)
        if self._size < 0 or self._count < 0:
            raise ArchiveError(
                f"{self._archive.name} holds more than {_SIZE_LIMIT} bytes or "
                f"{_COUNT_LIMIT} files and was not unpacked"
            )


def _inside(folder: Path, name: str, archive: Path) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveError(
            f"{archive.name} has a member {name!r} that reaches outside its folder, "
            "and was not unpacked"
        )
    return folder / path


@contextlib.contextmanager
def _broken_archives(archive: Path) -> Iterator[None]:
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        # Links that name each other.
        RecursionError,
        FileExistsError,
        IsADirectoryError,
        NotADirectoryError,
    ) as error:
        raise ArchiveError(f"{archive.name} cannot be unpacked: {error}") from error
