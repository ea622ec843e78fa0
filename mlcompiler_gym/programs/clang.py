# SPDX-License-Identifier: Apache-2.0
"""From C and C++ to bitcode that has not been optimised yet."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.clang import find_clang
from mlcompiler_gym.errors import ProgramError

#: Together with -Oz or -O2: functions are marked for it, and nothing is optimised.
_FLAGS = ("-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c")


def compile_source(
    source: Path,
    *,
    flags: Sequence[str] = (),
    target: str | None = None,
    level: str | None = None,
    folder: str | None = None,
) -> bytes:
    """Compile one file to bitcode.

    Args:
        source: A ``.c``, ``.cc``, ``.cpp`` or ``.cxx`` file.
        flags: Further flags; they come last, so ``-Os`` replaces the level.
        target: Target triple; the host's if None.
        level: ``"Oz"`` (if None) or ``"O2"``.
        folder: Where to run the compiler. The bitcode holds the name of the source
            as it is given.

    Raises:
        ProgramError: The file does not compile; clang's message is in it.
    """
    clang = find_clang()
    command = [clang, f"-{level or 'Oz'}", *_FLAGS]
    if target:
        command += ["-target", target]
    command += [*flags, "-o", "-", os.fspath(source)]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if done.returncode:
        output = done.stderr.decode(errors="replace").strip()
        raise ProgramError(
            f"{source} does not compile:\n  {' '.join(command)}\n"
            + textwrap.indent(output, "    ")
        )
    return done.stdout
