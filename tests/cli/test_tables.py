# SPDX-License-Identifier: Apache-2.0
"""Tables at a terminal and in a pipe."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mlcompiler_gym.cli.tables import Table, ids, names, numbers, shorten, text


def printed(table: Table, width: int) -> list[str]:
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, no_color=True
    )
    table.print(console)
    assert isinstance(console.file, io.StringIO)
    return (
        console.file.getvalue()
        .replace("\x1b[1m", "")
        .replace("\x1b[0m", "")
        .split("\n")
    )


@given(
    width=st.integers(40, 200),
    cells=st.lists(
        st.tuples(
            st.text("abcdefghij/-_", min_size=1, max_size=60),
            st.lists(st.integers(0, 10**12), min_size=9, max_size=9),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_numbers_are_whole_and_lines_fit(
    width: int, cells: list[tuple[str, list[int]]]
) -> None:
    headings = [f"{word}\nratio" for word in ("text_size", "ir_instructions", "cost")]
    columns = [*names("program"), *numbers("n", "m", *headings, *headings[:1] * 4)]
    table = Table(columns)
    for name, values in cells:
        table.add(name, *values)
    lines = printed(table, width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    for _, values in cells:
        for value in values:
            assert str(value) in words


def test_a_shortened_name_keeps_what_tells_it_from_others() -> None:
    table = Table([*names("submission"), *numbers("ratio")])
    for policy in ("greedy", "last-use"):
        table.add(f"inlining-size-kernels-of-somebody-{policy}", 1.0)
    lines = printed(table, 30)
    assert any(line.startswith("…greedy") for line in lines)
    assert any(line.startswith("…last-use") for line in lines)


@pytest.mark.parametrize("width", range(3, 12))
def test_shortened_names_fit(width: int) -> None:
    assert len(shorten("kernels/deflate", width, "kernels/")) <= width


def test_what_may_be_copied_is_whole() -> None:
    table = Table([*ids("environment"), text("meaning")])
    table.add("mlcompiler/LoopDistribution-v0", "how innermost loops are split " * 3)
    lines = printed(table, 60)
    assert any(line.startswith("mlcompiler/LoopDistribution-v0 ") for line in lines)
    assert max(map(len, lines)) <= 60


def test_a_pipe_gets_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(
        [*names("program"), *numbers("text_size\nratio", form=".2f")], "title"
    )
    table.add("kernels/" + "x" * 200, 1 / 3)
    table.add("kernels/none", None)
    table.total = ("2 programs", 0.5)
    table.print(Console(file=io.StringIO()))
    assert capsys.readouterr().out.splitlines() == [
        "program\ttext_size_ratio",
        "kernels/" + "x" * 200 + "\t0.33",
        "kernels/none\t-",
        "2 programs\t0.50",
    ]
    assert table.records()[0]["text_size_ratio"] == 1 / 3
    assert table.total_record() == {"program": "2 programs", "text_size_ratio": 0.5}
