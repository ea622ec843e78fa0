# SPDX-License-Identifier: Apache-2.0
"""The tables of pages say what the service describes, and what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.doc_tables import BLOCK, pages, table, write

from mlcompiler_gym import LocalService

BLOCKS = [
    pytest.param(
        page, block["wanted"], block["written"], id=f"{page.name}: {block['wanted']}"
    )
    for page in pages()
    for block in BLOCK.finditer(page.read_text())
]


@pytest.mark.parametrize(("page", "wanted", "written"), BLOCKS)
def test_tables_are_up_to_date(
    service: LocalService, page: Path, wanted: str, written: str
) -> None:
    assert written == table(service, wanted), f"{page}: run `./run tables`"


def test_every_task_has_its_tables(service: LocalService) -> None:
    asked = {parameters.values[1] for parameters in BLOCKS}
    wanted = {"benchmarks", "measured", "objectives", "observations", "parameters"}
    for task in service.describe().tasks:
        wanted |= {f"task {task.name}"}
        wanted |= {f"features {task.name}"} if task.features else set()
        wanted |= {f"options {task.name}"} if task.options else set()
        wanted |= set() if task.action.choices else {f"actions {task.name}"}
    assert asked == wanted


def test_a_table_that_is_wrong_is_written_anew(
    service: LocalService, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    text = "Before.\n\n<!-- table: features regalloc_priority -->\n"
    page.write_text(f"{text}| # | wrong |\n<!-- end of table -->\nBehind.\n")
    write(service, page)
    written = page.read_text()
    assert written.startswith(text + "\n| # | feature | meaning |\n")
    assert written.endswith("|\n\n<!-- end of table -->\nBehind.\n")
    assert "wrong" not in written
