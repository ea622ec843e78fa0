# SPDX-License-Identifier: Apache-2.0
"""LLVM's tools, run once per module."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.vocabularies.errors import VocabularyError

#: Seconds for one tool and one module. Nothing of the corpus takes a tenth of it.
_TIMEOUT = 600


def find_tool(name: str) -> str:
    """Path of one of LLVM 22's tools, for example ``"llc-22"``.

    Raises:
        VocabularyError: It is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise VocabularyError(
            f"{name} is not there: install LLVM 22's tools "
            "(Debian: clang-22, llvm-22, llvm-22-tools)"
        )
    return found


def _spoken(command: Sequence[str]) -> str:
    """Without the folder of the tool: cards of vocabularies repeat it."""
    return " ".join([Path(command[0]).name, *command[1:]])


def run_tool(command: Sequence[str], content: bytes = b"") -> bytes:
    """Standard output of a tool that reads ``content``.

    Raises:
        VocabularyError: It fails, crashes or takes longer than ten minutes.
    """
    try:
        done = subprocess.run(
            [find_tool(command[0]), *command[1:]],
            input=content,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise VocabularyError(
            f"`{_spoken(command)}` took longer than {_TIMEOUT} s"
        ) from error
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip()[-2000:]
        raise VocabularyError(
            f"`{_spoken(command)}` failed with status {done.returncode}:\n{message}"
        )
    return done.stdout
