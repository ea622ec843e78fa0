# SPDX-License-Identifier: Apache-2.0
"""Writing results so that none is lost."""

import os
from pathlib import Path

from mlcompiler_gym.errors import MLCompilerGymError


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
        raise MLCompilerGymError(f"cannot write {path}: {error}") from error
