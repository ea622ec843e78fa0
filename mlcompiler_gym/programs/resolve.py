# SPDX-License-Identifier: Apache-2.0
"""From what a user writes to a set of programs."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.clang import compile_source
from mlcompiler_gym.programs.kernels import kernels
from mlcompiler_gym.programs.program import Program, ProgramSet

#: A name, a path, a program, or several of them.
ProgramsLike: TypeAlias = (
    "str | os.PathLike[str] | Program | Iterable[str | os.PathLike[str] | Program]"
)

_IR = (".bc", ".ll")
_SOURCE = (".c", ".cc", ".cpp", ".cxx")


def load_programs(
    programs: ProgramsLike,
    *,
    target: str | None = None,
    clang_flags: Sequence[str] = (),
) -> ProgramSet:
    """The programs that a user means.

    Args:
        programs: The name of a set (``"kernels"``) or of one of its programs
            (``"kernels/regex"``), the path of a ``.bc``, ``.ll``, ``.c``, ``.cc``,
            ``.cpp`` or ``.cxx`` file, a :class:`Program`, or several of these.
        target: Target triple to compile sources for, and that selects the
            bitcode of sets that have it for several architectures.
        clang_flags: Further flags for sources.

    Raises:
        ProgramError: One of them does not exist or does not compile.
    """
    if isinstance(clang_flags, str):
        raise TypeError(
            f"clang_flags is a list, not {clang_flags!r}; split it into "
            f"{clang_flags.split()!r}"
        )
    if isinstance(programs, (str, os.PathLike, Program)):
        programs = [programs]
    loaded: list[Program] = []
    for item in programs:
        loaded += _load(item, target, clang_flags)
    return ProgramSet(loaded)


def _load(
    item: str | os.PathLike[str] | Program, target: str | None, flags: Sequence[str]
) -> list[Program]:
    if isinstance(item, Program):
        return [item]
    name = os.fspath(item)
    suffix = Path(name).suffix
    if suffix in _IR or suffix in _SOURCE:
        path = Path(name)
        if not path.is_file():
            raise ProgramError(f"there is no file {name}")
        if suffix in _IR:
            return [Program(name, path)]
        return [Program(name, compile_source(path, flags=flags, target=target))]
    # Sets
    if name == "kernels" or name.startswith("kernels/"):
        available = kernels(target)
        if name == "kernels":
            return available
        found = [program for program in available if program.name == name]
        if found:
            return found
        raise _unknown(name, [program.name for program in available])
    raise _unknown(name, ["kernels", *(program.name for program in kernels(target))])


def _unknown(name: str, known: list[str]) -> ProgramError:
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return ProgramError(
        f"unknown program {name!r}; {hint}Name the set 'kernels', one of its "
        "programs as in 'kernels/regex', or the path of a "
        f"{', '.join((*_IR, *_SOURCE))} file"
    )
