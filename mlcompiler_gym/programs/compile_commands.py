# SPDX-License-Identifier: Apache-2.0
"""From a build's ``compile_commands.json`` to clang command lines for bitcode."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlcompiler_gym.errors import ProgramError

#: Flags that say what to write and where, how to optimise, and what else to record.
#: A flag of the first line takes the next argument with it.
_WITH_ARGUMENT = re.compile(r"-o|-MF|-MT|-MQ|-MJ|--serialize-diagnostics|-dumpbase")
_DROPPED = re.compile(
    r"-[cSE]|-M[DMGP]*|-M[FTQ].+|-o.+|-O.*|-g.*|-pipe|-flto.*|-fno-lto|-save-temps.*"
    r"|-fsanitize.*|-fprofile.*|-fcoverage.*|--coverage|-ftest-coverage|-Werror.*"
    r"|-W(?!a,|p,|l,).*|-fembed-bitcode.*|-emit-llvm|-fdiagnostics.*|-fcolor.*"
    r"|-f(no-)?fat-lto-objects|-fuse-ld.*"
)
_PASSED_ON = ("-mllvm", "-Xclang", "-Xpreprocessor", "-Xassembler", "-Xlinker")
#: Suffixes of C and C++. What else a build compiles is not for LLVM's optimiser, or
#: not by clang.
_SUFFIXES = {".c", ".cc", ".cpp", ".cxx", ".c++", ".cp", ".C", ".i", ".ii"}
_LAUNCHERS = ("ccache", "sccache", "distcc", "icecc")


@dataclass(frozen=True)
class CompileCommand:
    """How one file of a build is compiled.

    Attributes:
        source: The file, as an absolute path.
        folder: Working directory of the compiler.
        flags: What of the command line says what the program is; the source
            file and everything about output and optimisation are left out.
        cplusplus: Whether the C++ driver is called.
        output: The object file, as the database has it, relative to the database's
            folder if it is in there; empty if the database does not say.
    """

    source: Path
    folder: Path
    flags: tuple[str, ...]
    cplusplus: bool
    output: str = ""


def read_compile_commands(path: Path) -> list[CompileCommand]:
    """All compilations of C and C++ in a JSON compilation database.

    Raises:
        ProgramError: It cannot be read, or is something else.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text())
        commands = [_parse(entry, path.parent) for entry in entries]
    except OSError as error:
        raise ProgramError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProgramError(
            f"{path} is not a JSON compilation database ({error!r}); let CMake write "
            "one with -DCMAKE_EXPORT_COMPILE_COMMANDS=ON, or Bear for other builds"
        ) from error
    commands = [each for each in commands if each.source.suffix in _SUFFIXES]
    if not commands:
        raise ProgramError(f"{path} names no C or C++ file")
    return commands


def _parse(entry: dict[str, Any], base: Path) -> CompileCommand:
    folder = (base / entry["directory"]).resolve()
    source = (folder / entry["file"]).resolve()
    arguments = entry.get("arguments") or shlex.split(entry["command"])
    if not arguments or not all(isinstance(each, str) for each in arguments):
        raise ValueError(f"the command for {source} is not a list of strings")
    while len(arguments) > 1 and Path(arguments[0]).name in _LAUNCHERS:
        arguments = arguments[1:]
    return CompileCommand(
        source=source,
        folder=folder,
        flags=tuple(_what_it_is(arguments[1:], source, folder)),
        cplusplus="++" in Path(arguments[0]).name,
        output=_output(entry, arguments, folder, base.resolve()),
    )


def _output(
    entry: dict[str, Any], arguments: Sequence[str], folder: Path, base: Path
) -> str:
    named = entry.get("output")
    for argument, behind in itertools.pairwise([*arguments, ""]):
        if named is None and argument == "-o":
            named = behind
    if not named:
        return ""
    path = (folder / named).resolve()
    return str(path.relative_to(base) if path.is_relative_to(base) else path)


def _what_it_is(arguments: Sequence[str], source: Path, folder: Path) -> Iterable[str]:
    rest = iter(arguments)
    for argument in rest:
        if argument in _PASSED_ON:
            # Whatever follows is another program's, and looks like anything.
            yield from (argument, *itertools.islice(rest, 1))
        elif _WITH_ARGUMENT.fullmatch(argument):
            next(rest, None)
        elif not argument.startswith("-") and (folder / argument).resolve() == source:
            continue
        elif argument != "--" and not _DROPPED.fullmatch(argument):
            yield argument
