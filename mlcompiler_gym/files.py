# SPDX-License-Identifier: Apache-2.0
"""Writing results so that none is lost, and what to do if there is no room."""

import errno
import os
import resource
from pathlib import Path

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
    # Through a link to what it names; devices and pipes cannot be replaced.
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        partial = target.with_name(target.name + ".partial")
        try:
            partial.write_bytes(content)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise MLCompilerGymError(f"cannot write {path}: {explain(error)}") from error
