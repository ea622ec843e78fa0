# SPDX-License-Identifier: Apache-2.0
"""Uploaded programs on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from pathlib import Path


class ProgramFolder:
    """Programs by the SHA-256 of their bytes, one file each.

    The compiler service keeps programs in memory, and fewer. What it no longer
    has it is given again from here, also after a restart. Bounded: the program
    used least recently goes first.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        """The folder is made; ``capacity`` is in bytes."""
        self._folder = folder
        self._capacity = capacity
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(".upload-*"):
            path.unlink()  # of a server that was killed

    def put(self, program: bytes) -> bytes:
        """Keep a program; its hash, 32 bytes."""
        digest = hashlib.sha256(program)
        path = self._folder / digest.hexdigest()
        with self._lock:
            if path.exists():
                os.utime(path)
            elif len(program) <= self._capacity:
                self._make_room(len(program))
                descriptor, name = tempfile.mkstemp(prefix=".upload-", dir=self._folder)
                with open(descriptor, "wb") as file:
                    file.write(program)
                os.replace(name, path)
        return digest.digest()

    def get(self, sha256: bytes) -> bytes | None:
        """The program of that hash, if it is here and whole."""
        if len(sha256) != hashlib.sha256().digest_size:
            return None
        path = self._folder / sha256.hex()
        try:
            program = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        if hashlib.sha256(program).digest() != sha256:
            path.unlink(missing_ok=True)
            return None
        return program

    @property
    def size(self) -> int:
        """Bytes of all programs."""
        return sum(size for _, size, _ in self._entries())

    def _entries(self) -> list[tuple[int, int, Path]]:
        """Time of last use, bytes and path; longest ago first."""
        entries = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            entries.append((status.st_mtime_ns, status.st_size, path))
        return sorted(entries)

    def _make_room(self, wanted: int) -> None:
        entries = self._entries()
        size = sum(entry[1] for entry in entries)
        for _, bytes_, path in entries:
            if size + wanted <= self._capacity:
                return
            path.unlink(missing_ok=True)
            size -= bytes_
