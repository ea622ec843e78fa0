# SPDX-License-Identifier: Apache-2.0
"""Tables that a person reads at a terminal, and that a program reads from a pipe.

On a terminal, a table fits its width: names are shortened, texts are wrapped, and
numbers are always whole. A table that has too many numbers is printed in
several parts, one below the other. In a pipe, a table is its rows, with tabs between
the cells and nothing shortened.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

#: No name is shortened to fewer characters.
_SHORTEST_NAME = 10
#: No text is wrapped into a narrower column.
_NARROWEST_TEXT = 18
#: Blanks between two columns: one of the box, and one of the cell.
_GAP = 2
#: Rows that a table for people has at most.
MOST_ROWS = 100


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        heading: Its first line; may have line breaks.
        kind: A ``"name"`` may be shortened, a ``"text"`` is wrapped, and a
            ``"number"`` and an ``"id"``, which a person may copy, are always whole.
        form: How a value is formatted, as in ``format(value, form)``.
        called: What it is called in JSON and in a pipe, if not by its heading.
    """

    heading: str
    kind: Literal["name", "id", "text", "number"] = "name"
    form: str = ""
    called: str = ""

    @property
    def key(self) -> str:
        """What the column is called in JSON and in a pipe."""
        return self.called or "_".join(self.heading.split())

    def write(self, value: Any) -> str:
        """A value as a cell; ``"-"`` if there is none."""
        if value is None:
            return "-"
        if isinstance(value, str):
            return value
        return format(value, self.form) if self.form else str(value)


def names(*headings: str) -> list[Column]:
    """Columns of names."""
    return [Column(heading) for heading in headings]


def ids(*headings: str) -> list[Column]:
    """Columns of names that a person may copy."""
    return [Column(heading, "id") for heading in headings]


def numbers(*headings: str, form: str = "") -> list[Column]:
    """Columns of numbers that are formatted in one way."""
    return [Column(heading, "number", form) for heading in headings]


def text(heading: str) -> Column:
    """A column of sentences."""
    return Column(heading, "text")


@dataclass
class Table:
    """Rows of values, and how to show them.

    Attributes:
        columns: The first of them says what a row is about.
        title: Shown above, on a terminal only.
        rows: Values, one for each column; ``None`` where there is none.
        total: A last row that sums up the others.
        styles: Styles of rows, by their place.
    """

    columns: Sequence[Column]
    title: str = ""
    rows: list[Sequence[Any]] = field(default_factory=list)
    total: Sequence[Any] | None = None
    styles: dict[int, str] = field(default_factory=dict)

    def add(self, *values: Any, style: str = "") -> None:
        """Add a row."""
        if style:
            self.styles[len(self.rows)] = style
        self.rows.append(values)

    def records(self) -> list[dict[str, Any]]:
        """The rows as JSON has them, without the total."""
        return [self._record(row) for row in self.rows]

    def total_record(self) -> dict[str, Any] | None:
        """The total as JSON has it; None if there is none."""
        return None if self.total is None else self._record(self.total)

    def _record(self, row: Sequence[Any]) -> dict[str, Any]:
        keys = [column.key for column in self.columns]
        return dict(zip(keys, row, strict=True))

    def print(self, console: Console | None = None) -> None:
        """Print it as where it is printed to needs it."""
        console = console or Console()
        if not console.is_terminal:
            if self.title:
                note(self.title)
            print_rows(self)
            return
        if self.title:
            console.print(Text(self.title, style="bold"))
        for part in self._parts(console.width):
            console.print(part)
            console.print()
        if len(self.rows) > MOST_ROWS:
            note(
                f"and {len(self.rows) - MOST_ROWS} more rows; a pipe or --json has all"
            )

    def lines(self) -> list[list[str]]:
        """All rows as cells, the total last."""
        every = self.rows if self.total is None else [*self.rows, self.total]
        return [self._cells(row) for row in every]

    def _cells(self, row: Sequence[Any]) -> list[str]:
        return [
            column.write(value) for column, value in zip(self.columns, row, strict=True)
        ]

    def _parts(self, width: int) -> list[RichTable]:
        shown = [self._cells(row) for row in self.rows[:MOST_ROWS]]
        last = None if self.total is None else self._cells(self.total)
        every = shown if last is None else [*shown, last]
        natural = [
            max(map(len, [*column.heading.split("\n"), *(row[place] for row in every)]))
            for place, column in enumerate(self.columns)
        ]
        parts = []
        for places in _divide(self.columns, natural, width):
            widths = _fit(
                [self.columns[place] for place in places],
                [natural[place] for place in places],
                width,
            )
            parts.append(self._part(places, widths, shown, last))
        return parts

    def _part(
        self,
        places: Sequence[int],
        widths: Sequence[int],
        shown: Sequence[Sequence[str]],
        last: Sequence[str] | None,
    ) -> RichTable:
        table = RichTable(
            box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
        )
        for place, width in zip(places, widths, strict=True):
            column = self.columns[place]
            table.add_column(
                Text(column.heading),
                justify="right" if column.kind == "number" else "left",
                no_wrap=column.kind != "text",
                overflow="fold",
                width=width,
            )

        def add(row: Sequence[str], **options: Any) -> None:
            cells = []
            for place, width in zip(places, widths, strict=True):
                cell = row[place]
                if self.columns[place].kind == "name":
                    cell = shorten(cell, width, alike[place])
                cells.append(Text(cell))
            table.add_row(*cells, **options)

        alike = [
            _common([row[place] for row in shown]) for place in range(len(self.columns))
        ]
        for index, row in enumerate(shown):
            end = last is not None and index == len(shown) - 1
            add(row, style=self.styles.get(index), end_section=end)
        if last is not None:
            add(last, style="bold")
        return table


def print_rows(table: Table) -> None:
    """Print a heading and all rows, with tabs between the cells."""
    keys = [column.key for column in table.columns]
    for cells in itertools.chain([keys], table.lines()):
        # A cell that is a text may have line breaks.
        typer.echo("\t".join(" ".join(cell.split()) for cell in cells))


def print_json(content: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(content, indent=1))


def note(message: str) -> None:
    """Tell a person something that is no data, and so stays out of a pipe."""
    typer.echo(message, err=True)


def shorten(name: str, width: int, prefix: str = "") -> str:
    """A name in at most ``width`` characters.

    Args:
        name: The whole name.
        width: How many characters there is room for.
        prefix: What many names begin with, which is the first to be left out.
    """
    if len(name) <= width:
        return name
    if prefix and name.startswith(prefix):
        name = f"…{name.removeprefix(prefix)}"
    if len(name) <= width:
        return name
    behind = (width - 1) // 2
    return f"{name[: width - 1 - behind]}…{name[len(name) - behind :]}"


def _common(names: Sequence[str]) -> str:
    """What all names begin with, up to where a part of the name ends."""
    if len(set(names)) < 2:
        return ""
    # No two names differ earlier than the first and the last in alphabetical order.
    pairs = zip(min(names), max(names), strict=False)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    prefix = "".join(letter for letter, _ in same)
    return prefix[: max(map(prefix.rfind, "/-_.:")) + 1]


def _least(column: Column, natural: int) -> int:
    least = {"name": _SHORTEST_NAME, "text": _NARROWEST_TEXT}
    heading = max(map(len, column.heading.split("\n")))
    return min(natural, max(least.get(column.kind, natural), heading))


def _divide(
    columns: Sequence[Column], natural: Sequence[int], width: int
) -> list[list[int]]:
    """Which columns stand beside each other; the first one in each part.

    Columns whose headings have the same first of several lines stay together.
    """
    least = [
        _least(column, size) for column, size in zip(columns, natural, strict=True)
    ]

    def group(place: int) -> str:
        first, broken, _ = columns[place].heading.partition("\n")
        return first if broken else f"{place}"

    def needed(places: Sequence[int]) -> int:
        return sum(_GAP + least[place] for place in places)

    units: list[list[int]] = []
    for _, places in itertools.groupby(range(1, len(columns)), group):
        together = list(places)
        fits = least[0] + needed(together) <= width
        units += [together] if fits else [[place] for place in together]
    parts = [[0]]
    for unit in units:
        if len(parts[-1]) > 1 and least[0] + needed(parts[-1][1:] + unit) > width:
            parts.append([0])
        parts[-1] += unit
    return parts


def _fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Widths of columns that stand beside each other."""
    widths = list(natural)
    room = width - _GAP * (len(columns) - 1)
    while sum(widths) > room:
        excess = [
            size - _least(column, whole)
            for column, size, whole in zip(columns, widths, natural, strict=True)
        ]
        widest = max(
            range(len(widths)), key=lambda place: (excess[place] > 0, widths[place])
        )
        if excess[widest] <= 0:
            break
        widths[widest] -= 1
    return widths
