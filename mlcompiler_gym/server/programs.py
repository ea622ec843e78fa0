# SPDX-License-Identifier: Apache-2.0
"""Uploaded programs on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlcompiler_gym.files import replacing


@dataclass(slots=True)
class _Stored:
    """What is known of a program without looking."""

    size: int
    #: Folders of the clients that have uploaded it.
    owners: tuple[str, ...]


class ProgramFolder:
    """Programs by the SHA-256 of their bytes, for the clients that uploaded them.

    The compiler service keeps programs in memory, and fewer. What it no longer
    has it is given again from here, also after a restart. Each client has a folder
    with its programs; those of several clients are links to one file. Bounded: the
    program used least recently goes first. What is there is read from the disk once,
    and then known.
    """

    def __init__(self, folder: Path, capacity: int, count: int = 100_000) -> None:
        """The folder is made; ``capacity`` is in bytes, ``count`` of programs."""
        self._folder = folder
        self._capacity = capacity
        self._count = count
        self._lock = threading.Lock()
        #: By hash; used longest ago first.
        self._stored: dict[bytes, _Stored] = {}
        self._size = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._read()

    def _read(self) -> None:
        found: list[tuple[int, bytes, int, str]] = []
        for path in self._folder.glob("*/*"):
            if path.suffix == ".partial":
                path.unlink()  # of a server that was killed
                continue
            with contextlib.suppress(ValueError, OSError):
                status = path.stat()
                digest = bytes.fromhex(path.name)
                found.append(
                    (status.st_mtime_ns, digest, status.st_size, path.parent.name)
                )
        for _, digest, size, owner in sorted(found):
            stored = self._stored.pop(digest, None)
            if stored is None:
                self._size += size
                stored = _Stored(size, ())
            stored.owners += (owner,)
            self._stored[digest] = stored
        with contextlib.suppress(OSError):
            self._make_room(0)

    def put(self, client: str, program: bytes) -> bytes:
        """Keep a client's program; its hash, 32 bytes.

        Raises:
            OSError: There is no room for it, on the disk or at all.
        """
        digest = hashlib.sha256(program).digest()
        owner = _folder_of(client)
        with self._lock:
            stored = self._stored.get(digest)
            if stored is not None and owner in stored.owners:
                self._use(digest, stored)
                return digest
            if len(program) > self._capacity:
                raise OSError(f"all programs together may have {self._capacity} bytes")
            path = self._path(owner, digest)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if stored is not None and _run(
                lambda: os.link(self._path(stored.owners[0], digest), path)
            ):
                stored.owners += (owner,)
                self._use(digest, stored)
                return digest
            if stored is not None:
                self._remove(digest)  # it has gone, or this disk has no links
            self._make_room(len(program))
            with replacing(path) as file:
                file.write(program)
            self._stored[digest] = _Stored(len(program), (owner,))
            self._size += len(program)
        return digest

    def get(self, client: str, sha256: bytes) -> bytes | None:
        """The client's program of that hash, if it is here and whole."""
        owner = _folder_of(client)
        with self._lock:
            stored = self._stored.get(sha256)
            if stored is None or owner not in stored.owners:
                return None
            try:
                program = self._path(owner, sha256).read_bytes()
            except OSError:
                program = b""
            if hashlib.sha256(program).digest() != sha256:
                self._remove(sha256)
                return None
            self._use(sha256, stored)
        return program

    def has(self, client: str, sha256: bytes) -> bool:
        """Whether the client has uploaded a program of that hash."""
        stored = self._stored.get(sha256)
        return stored is not None and _folder_of(client) in stored.owners

    @property
    def size(self) -> int:
        """Bytes of all programs."""
        return self._size

    def _path(self, owner: str, digest: bytes) -> Path:
        return self._folder / owner / digest.hex()

    def _use(self, digest: bytes, stored: _Stored) -> None:
        self._stored[digest] = self._stored.pop(digest)
        # For the next server. One that cannot be touched is merely old then.
        _run(lambda: os.utime(self._path(stored.owners[-1], digest)))

    def _make_room(self, wanted: int) -> None:
        more = 1 if wanted else 0
        while self._stored and (
            self._size + wanted > self._capacity
            or len(self._stored) + more > self._count
        ):
            self._remove(next(iter(self._stored)))

    def _remove(self, digest: bytes) -> None:
        stored = self._stored.pop(digest)
        self._size -= stored.size
        for owner in stored.owners:
            self._path(owner, digest).unlink(missing_ok=True)


def _folder_of(client: str) -> str:
    return hashlib.sha256(client.encode()).hexdigest()[:32]


def _run(action: Callable[[], None]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True
