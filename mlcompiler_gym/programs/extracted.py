# SPDX-License-Identifier: Apache-2.0
"""Folders of bitcode that were taken from a user's own code, read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs.program import Program, ProgramSet

#: Says of each file where it came from.
MANIFEST = "programs.json"
_FORMAT = "mlcompiler_gym programs 1"


@dataclass(frozen=True)
class Extracted:
    """One program of such a folder.

    Attributes:
        file: Path of the bitcode, relative to the folder.
        source: What it was made of: a source file, an object, an archive member.
        command: The compiler's command line; empty if it was not compiled anew.
    """

    file: str
    source: str
    command: tuple[str, ...] = ()


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
            Extracted(each["file"], each["source"], tuple(each["command"]))
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
