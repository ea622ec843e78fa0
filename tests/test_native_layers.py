# SPDX-License-Identifier: Apache-2.0
"""What native files include: no folder of another's, and nothing in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[1] / "service"
SOURCES = sorted(
    path
    for pattern in ("*.h", "*.cpp")
    for path in SERVICE.rglob(pattern)
    if SERVICE / "tests" not in path.parents
)

#: By folder, what its files may need, directly or not; "." is ``service/`` itself.
LAYERS = {
    "tasks": {".", "policy", "tasks"},
    "objectives": {".", "policy", "objectives"},
    "observations": {".", "policy", "observations"},
    "policy": {"policy"},
}


def included(path: Path) -> Iterator[Path]:
    """Files of the service that a file includes."""
    for name in re.findall(r'^#include "(.+)"$', path.read_text(), re.M):
        for folder in (path.parent, SERVICE):
            if (folder / name).is_file():
                yield folder / name
                break


def needed(path: Path) -> set[Path]:
    """Files that are read when a file is compiled."""
    found: set[Path] = set()
    unread = [path]
    while unread:
        unread.extend(set(included(unread.pop())) - found)
        found.update(unread)
    return found


def folder(path: Path) -> str:
    return str(path.parent.relative_to(SERVICE))


def test_what_is_shared_is_found() -> None:
    task = needed(SERVICE / "tasks/LoopDistribution.cpp")
    assert {SERVICE / "IR2VecCounts.h", SERVICE / "tasks/Task.h"} <= task


@pytest.mark.parametrize("layer", LAYERS)
def test_no_file_needs_another_layer(layer: str) -> None:
    files = [path for path in SOURCES if folder(path) == layer]
    assert files
    for path in files:
        wrong = [each for each in needed(path) if folder(each) not in LAYERS[layer]]
        assert not wrong, f"{path.name} needs {wrong[0].relative_to(SERVICE)}"


def test_there_is_no_circle() -> None:
    """A header and the file that implements it count as one."""
    parts: dict[Path, set[Path]] = {}
    for path in SOURCES:
        part = path.with_suffix("")
        others = {each.with_suffix("") for each in included(path)} - {part}
        parts.setdefault(part, set()).update(others)
    # It raises an error that names the circle.
    TopologicalSorter(parts).prepare()
