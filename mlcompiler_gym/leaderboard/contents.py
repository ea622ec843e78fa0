# SPDX-License-Identifier: Apache-2.0
"""The files of a submission, from a folder or an archive that anybody may have made.

Nothing of it is ever unpacked to disk, and no more of it is read than a submission may
have.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from mlcompiler_gym.leaderboard.card import CARD
from mlcompiler_gym.leaderboard.entries import TRAJECTORIES
from mlcompiler_gym.leaderboard.errors import LeaderboardError, refusal

#: Has the hashes of the other files from when they were packed.
MANIFEST = "manifest.json"
#: The policy, in the class of that name.
POLICY = "model.policy"

#: Bytes that each file may have.
_SIZES = {
    CARD: 64 << 10,
    MANIFEST: 4 << 10,
    TRAJECTORIES: 64 << 20,
    POLICY: 64 << 20,
}
#: Members that an archive may have, folders included.
_MEMBERS = 8

#: What an archive is called.
ARCHIVES = (".tar.gz", ".tgz", ".tar")


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a submission by name, none larger than it may be.

    Raises:
        LeaderboardError: There is no such folder or archive.
        SubmissionError: It has others, or something that is not a file.
    """
    if path.is_dir():
        return _read_folder(path)
    if path.name.endswith(ARCHIVES) and path.is_file():
        return _read_archive(path)
    raise LeaderboardError(
        f"{path} is no submission: name a folder, or a {', '.join(ARCHIVES)} of one"
    )


def _check(name: str, size: int) -> None:
    if name not in _SIZES:
        raise refusal(
            name, f"a submission has only {', '.join(_SIZES)}", "remove the file"
        )
    if size > _SIZES[name]:
        raise refusal(
            name,
            f"it has {size} bytes, and {_SIZES[name]} are allowed",
            "make it smaller",
        )


def _read_folder(folder: Path) -> dict[str, bytes]:
    files = {}
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        # The file is opened without following links, and examined once it is open.
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise refusal(
                entry.name, "it is a link or a folder, not a file", "remove it"
            )
        _check(entry.name, found.st_size)
        handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            files[entry.name] = file.read(_SIZES[entry.name] + 1)
        _check(entry.name, len(files[entry.name]))
    return files


def _read_archive(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        # The archive is decompressed in memory first, because tarfile trusts its
        # headers.
        with tarfile.open(fileobj=io.BytesIO(_unpack(path)), mode="r:") as archive:
            for number, member in enumerate(archive, start=1):
                if number > _MEMBERS:
                    raise refusal(
                        path.name,
                        f"it has more than {_MEMBERS} members",
                        "pack only the folder of the submission",
                    )
                if member.isdir():
                    continue
                if not member.isfile():
                    raise refusal(member.name, "it is a link or a device", "remove it")
                name = _member_name(member.name)
                _check(name, member.size)
                if name in files:
                    raise refusal(name, "it is there twice", "remove one")
                content = archive.extractfile(member)
                assert content is not None
                files[name] = content.read(_SIZES[name] + 1)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise refusal(
            path.name, f"it is not a complete archive: {error}", "make it again"
        ) from error
    return files


def _unpack(path: Path) -> bytes:
    limit = sum(_SIZES.values())
    is_gzip = not path.name.endswith(".tar")
    with gzip.open(path) if is_gzip else path.open("rb") as file:
        content: bytes = file.read(limit + 1)
    if len(content) > limit:
        raise refusal(
            path.name,
            f"it unpacks to more than {limit >> 20} MiB",
            "make the submission smaller",
        )
    return content


def _member_name(name: str) -> str:
    """The name in a path: ``card.toml`` in ``folder/card.toml`` or ``./card.toml``."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or not 1 <= len(parts) <= 2:
        raise refusal(name, "it reaches outside of its folder", "remove it")
    return parts[-1]
