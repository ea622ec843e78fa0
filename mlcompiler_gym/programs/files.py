# SPDX-License-Identifier: Apache-2.0
"""Programs from files: bitcode, textual IR, C and C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.clang import compile_source
from mlcompiler_gym.programs.program import Program
from mlcompiler_gym.suggest import did_you_mean

IR_SUFFIXES = (".bc", ".ll")
SOURCE_SUFFIXES = (".c", ".cc", ".cpp", ".cxx")


def is_program_file(name: str) -> bool:
    """Whether a name looks like that of a file that holds a program."""
    return Path(name).suffix in (*IR_SUFFIXES, *SOURCE_SUFFIXES)


def load_file(
    name: str, *, flags: Sequence[str], target: str | None, level: str | None
) -> Program:
    """The program in a file.

    Raises:
        ProgramError: There is no such file, or it does not compile.
    """
    path = Path(name)
    if not is_program_file(name):
        known = ", ".join((*IR_SUFFIXES, *SOURCE_SUFFIXES))
        raise ProgramError(f"{name} is none of {known}")
    if not path.is_file():
        folder = path.absolute().parent
        if not folder.is_dir():
            where = f"the folder {folder} does not exist"
        else:
            others = (each.name for each in folder.iterdir())
            programs = filter(is_program_file, others)
            where = f"{did_you_mean(path.name, programs)}It is not in {folder}"
        raise ProgramError(f"there is no file {name}: {where}")
    if path.suffix in IR_SUFFIXES:
        return Program(name, path)
    return Program(name, compile_source(path, flags=flags, target=target, level=level))
