# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/parameters.md, from what the service describes.

``python -m support.parameter_table``, in ``tests/``, writes them into the page.
"""

from __future__ import annotations

from pathlib import Path

from mlcompiler_gym import LocalService

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"

_BEGIN = "<!-- tables: written by tests/support/parameter_table.py -->\n"
_END = "<!-- end of tables -->\n"


def tables(service: LocalService) -> str:
    """A table for each group of parameters."""
    [wanted] = (
        option
        for option in service.describe_task("parameters", {}).options
        if option.name == "parameters"
    )
    parts = []
    for group in wanted.values:
        if group == "all":
            continue
        spec = service.describe_task("parameters", {"parameters": group})
        rows = [
            f"| `{each.name}` | {each.default_value or '-'} | "
            f"{', '.join(each.meanings[1:])} | {each.doc} |\n"
            for each in spec.action.choices
        ]
        parts.append(
            f"\n### `{group}`\n\n| option | registered | values | what it says |\n"
            "|---|---|---|---|\n" + "".join(rows)
        )
    return "".join(parts) + "\n"


def written() -> str:
    """What the page has."""
    return PAGE.read_text().split(_BEGIN)[1].split(_END)[0]


def write(service: LocalService) -> None:
    """Put the tables into the page."""
    before, rest = PAGE.read_text().split(_BEGIN)
    _, behind = rest.split(_END)
    PAGE.write_text(before + _BEGIN + tables(service) + _END + behind)


if __name__ == "__main__":
    service = LocalService()
    write(service)
    service.close()
