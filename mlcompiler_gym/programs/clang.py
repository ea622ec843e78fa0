# SPDX-License-Identifier: Apache-2.0
"""From C and C++ to bitcode that has not been optimised yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.errors import ProgramError

#: Marks every function for the optimiser as -Oz would, and optimises nothing.
_FLAGS = ("-Oz", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c")


def find_clang(language: str = "c") -> str:
    """``clang-22``, or what ``MLCOMPILER_GYM_CLANG`` names."""
    override = os.environ.get("MLCOMPILER_GYM_CLANG")
    name = override or "clang-22"
    found = shutil.which(name)
    if found is None:
        raise ProgramError(
            f"{name} is not there, and compiling {language} needs it: install it "
            "(Debian: clang-22), set MLCOMPILER_GYM_CLANG to the path of a clang "
            "22, or give bitcode instead of source"
        )
    return found


def compile_source(
    source: Path, *, flags: Sequence[str] = (), target: str | None = None
) -> bytes:
    """Compile one file to bitcode.

    Args:
        source: A ``.c``, ``.cc``, ``.cpp`` or ``.cxx`` file.
        flags: Further flags; they come last, so ``-O2`` replaces ``-Oz``.
        target: Target triple; the host's if None.

    Raises:
        ProgramError: The file does not compile; clang's message is in it.
    """
    clang = find_clang()
    command = [clang, *_FLAGS]
    if target:
        command += ["-target", target]
    command += [*flags, "-o", "-", os.fspath(source)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        output = done.stderr.decode(errors="replace").strip()
        raise ProgramError(
            f"{source} does not compile:\n  {' '.join(command)}\n"
            + textwrap.indent(output, "    ")
        )
    return done.stdout
