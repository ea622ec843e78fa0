# SPDX-License-Identifier: Apache-2.0
"""Programs out of what a build left: bitcode inside objects and archives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.client.executable import find_executable
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.extracted import (
    Extracted,
    divide,
    is_extracted,
    read_manifest,
    write_manifest,
)


def extract_embedded(files: Sequence[Path], output: Path) -> list[Extracted]:
    """Take the modules out of files that hold some.

    Such files are objects and executables built with ``-fembed-bitcode`` (section
    ``.llvmbc``) or ``-ffat-lto-objects``, objects of ``-flto`` and ``-flto=thin``,
    and archives of these. Their code is as the compiler left it there: LTO's has
    been through the first half of its pipeline, ``-fembed-bitcode``'s through
    all of it. For code that is not optimised yet see
    :func:`~mlcompiler_gym.programs.extract.extract`.

    Args:
        files: What to look into.
        output: Folder for the bitcode; afterwards a set of programs, under its
            path. What is there already is kept.

    Returns:
        The programs found.

    Raises:
        ProgramError: A file cannot be read, or none holds a module.
    """
    found: list[Extracted] = []
    old = read_manifest(output) if is_extracted(os.fspath(output)) else []
    seen = Counter(each.file for each in old)
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".extract-") as folder:
            for path in files:
                for line in _run(path, folder).splitlines():
                    entry = json.loads(line)
                    name = _name(entry["source"], seen)
                    shutil.move(Path(folder) / entry["file"], output / name)
                    found.append(Extracted(name, entry["source"]))
    except OSError as error:
        raise ProgramError(f"{output} cannot be written: {error}") from error
    if not found:
        raise ProgramError(
            f"there is no bitcode in {', '.join(map(str, files))}; build with "
            "-fembed-bitcode, -flto or -ffat-lto-objects, or extract from the "
            "build's compile_commands.json"
        )
    write_manifest(output, divide([*old, *found], by_target=False, known=old))
    return found


def _run(path: Path, folder: str) -> str:
    done = subprocess.run(
        [find_executable(), f"--extract-bitcode={path}", f"--output={folder}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProgramError(f"cannot extract from {path}: {done.stderr.strip()}")
    return done.stdout


def _name(source: str, seen: Counter[str]) -> str:
    """``b.o.bc`` of ``lib.a(b.o)``; with a number if there is one already."""
    stem = Path(source.rstrip(")").rpartition("(")[2]).name
    number = 1
    name = f"{stem}.bc"
    while seen[name]:
        number += 1
        name = f"{stem}.{number}.bc"
    seen[name] += 1
    return name
