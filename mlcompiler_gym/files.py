# SPDX-License-Identifier: Apache-2.0
"""Writing results so that none is lost, and what to do if there is no room."""

from __future__ import annotations

import errno
import os
import resource
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlcompiler_gym.errors import MLCompilerGymError


def explain(error: OSError) -> str:
    """What the system says, and the way out where that is not the program's fault."""
    if error.errno == errno.EMFILE:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"this process has as many files and sockets open as it may, {soft} (each "
            "compile takes one): close environments that are done, or raise the limit, "
            f"as by `ulimit -n {hard}` before Python is started"
        )
    if error.errno == errno.ENFILE:
        return "no process of this machine may open another file (fs.file-max)"
    return str(error)


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file; an old one gives way only to a complete new one.

    Raises:
        MLCompilerGymError: It cannot be written; the old file is still there.
    """
    # A link is followed to what it names. Devices and pipes cannot be replaced.
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        with replacing(target) as file:
            file.write(content)
    except OSError as error:
        raise MLCompilerGymError(f"cannot write {path}: {explain(error)}") from error


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``target`` if the block succeeds.

    Until then it lies beside it, under a name that no one else can guess. Where the
    block or the disk fails, nothing is left of it.

    Raises:
        OSError: The file cannot be written.
    """
    partial = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.partial")
    # O_EXCL makes a file or fails; it follows no link that has been put there.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(partial, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            yield file
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
