# SPDX-License-Identifier: Apache-2.0
"""The tables of features in docs/ say what the service describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlcompiler_gym import LocalService

DOCS = Path(__file__).parents[1] / "docs"
ROW = re.compile(r"^\| (\d+) \| `(\w+)` \|(?: ([\d, ]+) \|)? (.*) \|$", re.MULTILINE)

#: By task: the page, and the heading that its table stands under.
TABLES = {
    "inlining": ("inlining.md", "Features"),
    "parameters": ("parameters.md", "Features"),
    "regalloc": ("full_regalloc.md", "Features"),
    "regalloc_eviction": ("regalloc.md", "Features of an eviction"),
    "regalloc_priority": ("regalloc.md", "Features of a priority"),
}


def rows(page: str, heading: str) -> list[tuple[str, str, str, str]]:
    """Number, name, shape and meaning of each feature under a heading."""
    _, _, section = (DOCS / page).read_text().partition(f"\n## {heading}\n")
    found: list[tuple[str, str, str, str]] = ROW.findall(section.split("\n## ", 1)[0])
    return found


@pytest.mark.parametrize("task", TABLES)
def test_tables_say_what_is_described(service: LocalService, task: str) -> None:
    described = []
    table = rows(*TABLES[task])
    for number, feature in enumerate(service.describe_task(task, {}).features):
        shape = ", ".join(str(size) for size in feature.shape if size != 1) or "1"
        only = f" (only with `{feature.option}=True`)" if feature.option else ""
        meaning = feature.doc + only
        described.append((str(number), feature.name, shape, meaning))
    shown = [row[2] for row in table]
    if not any(shown):
        described = [(*row[:2], "", row[3]) for row in described]
    assert table == described


def test_no_table_of_features_is_left_out() -> None:
    known = {name for table in TABLES.values() for _, name, _, _ in rows(*table)}
    service = LocalService()
    try:
        features = {
            feature.name
            for task in service.describe().tasks
            for feature in task.features
        }
    finally:
        service.close()
    for page in DOCS.glob("*.md"):
        for _, name, _, _ in ROW.findall(page.read_text()):
            assert name not in features or name in known, f"{page.name}: {name}"
