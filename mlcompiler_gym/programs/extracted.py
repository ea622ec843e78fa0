# SPDX-License-Identifier: Apache-2.0
"""Folders of bitcode that were taken from a user's own code, read back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs.catalogue import SPLITS
from mlcompiler_gym.programs.program import Program, ProgramSet

#: Says of each file where it came from.
MANIFEST = "programs.json"
_FORMAT = "mlcompiler_gym programs 1"
#: Which part of the programs each split should have.
_PARTS = {"train": 0.8, "validation": 0.1, "test": 0.1}
#: Where CMake puts the objects of a target.
_TARGET = re.compile(r"CMakeFiles/([^/]+)\.dir/")


@dataclass(frozen=True)
class Extracted:
    """One program of such a folder.

    Attributes:
        file: Path of the bitcode, relative to the folder.
        source: What it was made of: a source file, an object, an archive member.
        command: The compiler's command line; empty if it was not compiled again.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        output: The object file of the build, relative to the folder of its
            ``compile_commands.json``; empty if the build does not say.
    """

    file: str
    source: str
    command: tuple[str, ...] = ()
    split: str = SPLITS[0]
    output: str = ""


def is_extracted(path: str) -> bool:
    """Whether a folder has such programs."""
    return (Path(path) / MANIFEST).is_file()


def read_manifest(folder: Path) -> list[Extracted]:
    """What is in a folder.

    Raises:
        ProgramError: Its manifest cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT!r}")
        return [
            Extracted(**{**each, "command": tuple(each["command"])})
            for each in content["programs"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProgramError(f"{path} cannot be read: {error!r}") from error


def write_manifest(folder: Path, programs: Iterable[Extracted]) -> None:
    """Say what is in a folder."""
    content = {
        "format": _FORMAT,
        "programs": [
            asdict(each) for each in sorted(programs, key=lambda each: each.file)
        ],
    }
    write_file(folder / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def divide(
    programs: Iterable[Extracted], *, by_target: bool, known: Iterable[Extracted] = ()
) -> list[Extracted]:
    """Give each program a split, eight, one and one of ten if that is possible.

    What belongs together stays together: the sources of a folder, or the objects of
    one of CMake's targets.

    Args:
        programs: As they were extracted.
        by_target: Keep targets together, and not folders.
        known: Programs of an earlier run; what belongs to these has their split.
    """
    groups: dict[str, list[Extracted]] = {}
    for each in programs:
        groups.setdefault(_group(each, by_target=by_target), []).append(each)
    splits = {_group(each, by_target=by_target): each.split for each in known}
    count = sum(map(len, groups.values()))
    sizes = {
        split: sum(len(groups[g]) for g in groups if splits.get(g) == split)
        for split in SPLITS
    }
    new = sorted(
        (group for group in groups if group not in splits),
        key=lambda group: (-len(groups[group]), group),
    )
    for group in new:
        # The split that lacks the most of its part gets the next largest group.
        lacking = {s: part * count - sizes[s] for s, part in _PARTS.items()}
        splits[group] = max(SPLITS, key=lacking.__getitem__)
        sizes[splits[group]] += len(groups[group])
    return [
        dataclasses.replace(each, split=splits[group])
        for group, members in groups.items()
        for each in members
    ]


def _group(program: Extracted, *, by_target: bool) -> str:
    found = _TARGET.search(program.output) if by_target else None
    return found[1] if found else str(Path(program.file).parent)


def load_folder(path: str) -> ProgramSet:
    """The programs of a folder, each under the path of its file.

    Those that its manifest names, or if it has none, all bitcode in it and below.

    Raises:
        ProgramError: There are none.
    """
    folder = Path(path)
    if is_extracted(path):
        files = [folder / each.file for each in read_manifest(folder)]
    else:
        files = sorted(folder.rglob("*.bc"))
    if not files:
        raise ProgramError(f"there is no bitcode (.bc) in the folder {path}")
    return ProgramSet([Program(str(file), file) for file in files])
