# SPDX-License-Identifier: Apache-2.0
"""From what a user writes to programs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.extracted import is_extracted, load_folder
from mlcompiler_gym.programs.files import is_program_file, load_file
from mlcompiler_gym.programs.generators import Csmith, LLVMStress
from mlcompiler_gym.programs.named_set import NamedSet
from mlcompiler_gym.programs.own_sets import find_set, own_sets
from mlcompiler_gym.programs.program import (
    Program,
    ProgramSet,
    ProgramSource,
    combine,
)
from mlcompiler_gym.programs.pypi_set import Apps, PyPI
from mlcompiler_gym.programs.shipped import Kernels, Loops
from mlcompiler_gym.programs.variant import Variant
from mlcompiler_gym.suggest import did_you_mean

#: A name, a path, a program, a set, or several of them.
ProgramsLike: TypeAlias = (
    "str | os.PathLike[str] | Program | ProgramSource | "
    "Iterable[str | os.PathLike[str] | Program | ProgramSource]"
)

#: All sets that have a name, by it.
NAMED_SETS: dict[str, NamedSet] = {
    each.name: each
    for each in (Kernels(), Loops(), PyPI(), Apps(), Csmith(), LLVMStress())
}


def known_sets() -> dict[str, NamedSet]:
    """All sets that have a name: our sets, and sets that users have named."""
    return {**own_sets(), **NAMED_SETS}


def load_programs(
    programs: ProgramsLike,
    *,
    target: str | None = None,
    level: str | None = None,
    clang_flags: Sequence[str] = (),
    licences: Collection[str] | None = None,
) -> ProgramSource:
    """The programs that a user means.

    Args:
        programs: A set (``"kernels"``), one of its splits (``"pypi:train"``), one
            of its packages (``"pypi/lz4"``) or programs (``"pypi/lz4/lz4hc"``,
            ``"csmith/1234"``). Also the path of a ``.bc``, ``.ll``, ``.c``, ``.cc``,
            ``.cpp`` or ``.cxx`` file, or of a folder of bitcode, such as
            ``mlcompiler-gym programs extract`` writes. Also a :class:`Program`, a
            :class:`ProgramSource`, or several of all these. ``file:`` before a path
            says that it is one. ``-`` before the name of a program leaves it out:
            ``["loops", "-loops/split_chain"]``.
        target: Target triple to compile sources for, and that selects the
            bitcode of sets that have it for several architectures.
        level: ``"Oz"`` (if None) or ``"O2"``: what functions are marked for.
        clang_flags: Further flags for sources.
        licences: Only programs of named sets that have one of these.

    Returns:
        A :class:`ProgramSet` if there is an end of them.

    Raises:
        ProgramError: One of them does not exist or does not compile.
    """
    if isinstance(clang_flags, str):
        raise TypeError(
            f"clang_flags is a list, not {clang_flags!r}; split it into "
            f"{clang_flags.split()!r}"
        )
    if isinstance(licences, str):
        raise TypeError(f"licences is a list, not {licences!r}")
    if isinstance(programs, ProgramSource):
        return programs
    if isinstance(programs, (str, os.PathLike, Program)):
        programs = [programs]

    def load(item: str | os.PathLike[str] | Program | ProgramSource) -> ProgramSource:
        if isinstance(item, Program):
            return ProgramSet([item])
        if isinstance(item, ProgramSource):
            return item
        name = os.fspath(item)
        path = name.removeprefix("file:")
        if path == name and find_set(_set_name(name)) is not None:
            return _load_named(name, Variant.of(target, level), licences)
        if is_extracted(path) or (path != name and Path(path).is_dir()):
            return load_folder(path)
        if path != name or is_program_file(name):
            file = load_file(path, flags=clang_flags, target=target, level=level)
            # The program keeps the name that it was given by, so that this finds it
            # again.
            return ProgramSet([dataclasses.replace(file, name=name)])
        return _load_named(name, Variant.of(target, level), licences)

    wanted = list(programs)
    left_out = [w[1:] for w in wanted if isinstance(w, str) and w.startswith("-")]
    kept = [w for w in wanted if not (isinstance(w, str) and w.startswith("-"))]
    return _leave_out(combine(map(load, kept)), left_out)


def _leave_out(source: ProgramSource, names: Collection[str]) -> ProgramSource:
    if not names:
        return source
    if not isinstance(source, ProgramSet):
        raise ProgramError(
            f"nothing can be left out of {source}: there is no end of it"
        )
    for name in names:
        source.named(name)  # or an error that says which there are
    kept = [
        (program, weight)
        for program, weight in zip(source, source.weights, strict=True)
        if program.name not in names
    ]
    programs, weights = zip(*kept, strict=True) if kept else ((), ())
    return ProgramSet(programs, weights)


def _set_name(name: str) -> str:
    """``"mine"`` of ``"mine/src/parse.c"`` and of ``"mine:train"``."""
    return name.partition(":")[0].split("/", 1)[0]


def _load_named(
    name: str, variant: Variant, licences: Collection[str] | None
) -> ProgramSource:
    whole, colon, split = name.partition(":")
    named_set = NAMED_SETS.get(_set_name(name)) or find_set(_set_name(name))
    if named_set is not None:
        if whole == named_set.name:
            return named_set.load(variant, split if colon else None, licences)
        if found := named_set.find(name, variant, licences):
            return ProgramSet(found)
    if Path(name).is_dir():
        return load_folder(name)
    sets = known_sets()
    known = [*sets, *named_set.names()] if named_set else [*sets]
    if named_set is None:
        known += NAMED_SETS["kernels"].names()
    hint = did_you_mean(name, known)
    raise ProgramError(
        f"unknown program {name!r}; {hint}Name a set ({', '.join(sets)}), one "
        "of its splits as in 'pypi:train', one of its programs as in "
        "'kernels/regex', or the path of a .bc, .ll, .c, .cc, .cpp or .cxx file"
    )
