# SPDX-License-Identifier: Apache-2.0
"""What journals come to, as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import cli

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.evaluation.report import (
    language_of,
    rows_of,
    to_markdown,
    trainings_of,
)
from mlcompiler_gym.v1 import policy_pb2 as pb


def episode(program: str, policy: str, value: float | None, base: float) -> Any:
    return {
        "env": "mlcompiler/Inlining-v0",
        "settings": {},
        "policy": policy,
        "saved": False,
        "llvm": "22",
        "program": program,
        "program_sha256": "",
        "seed": 0,
        "objective": None if value is None else {"text_size": value},
        "baseline": None if value is None else {"text_size": base},
        "error_code": None if value is not None else "CRASH",
    }


RECORDS = [
    episode("pypi/lz4/lz4", "ours", 100, 200),
    episode("pypi/lz4/lz4hc", "ours", None, 50),
    episode("pypi/libsass/src/ast", "ours", 220, 200),
    episode("pypi/misaka/escape", "ours", None, 0) | {"error_code": None},
    episode("kernels/lz", "ours", 90, 90),
]
LANGUAGES = {"pypi/libsass/src/ast": "C++"}


def spoken(program: str) -> str:
    return LANGUAGES.get(program, "C")


def test_rows() -> None:
    kernels, every, c, cxx = rows_of(RECORDS, spoken)
    assert (kernels.programs, kernels.language) == ("kernels:test", "all")
    assert kernels.comparison.total == 1
    assert [row.language for row in (every, c, cxx)] == ["all", "C", "C++"]
    assert (every.programs, every.count, every.packages) == ("pypi:test", 2, 2)
    assert (every.failed, c.failed, cxx.failed) == (1, 1, 0)
    assert every.comparison.total == pytest.approx(320 / 400)
    assert every.comparison.mean.mean == pytest.approx((0.5 * 1.1) ** 0.5)
    assert every.comparison.worse == 0.5
    assert cxx.comparison.worst_program == "pypi/libsass/src/ast"


def test_a_policy_has_a_row_for_each_objective_it_was_played_for() -> None:
    other = {"settings": {"objective": "ir_instructions"}}
    records = [
        *RECORDS[:2],
        RECORDS[0]
        | other
        | {
            "objective": {"ir_instructions": 9.0},
            "baseline": {"ir_instructions": 10.0},
        },
        RECORDS[3] | other | {"error_code": "CRASH"},
    ]
    ir, size = rows_of(records, spoken)
    assert (ir.objective, ir.count, ir.failed) == ("ir_instructions", 1, 1)
    assert ir.comparison.total == pytest.approx(0.9)
    assert (size.objective, size.count, size.failed) == ("text_size", 1, 1)


def by_function(program: str, values: dict[str, tuple[float, float]]) -> Any:
    functions = [
        {
            "function": name,
            "steps": 1,
            "objective": {"text_size": value},
            "baseline": {"text_size": base},
        }
        for name, (value, base) in values.items()
    ]
    value, base = (sum(each) for each in zip(*values.values(), strict=True))
    return episode(program, "ours", value, base) | {
        "settings": {"function": "each"},
        "functions": functions,
    }


def test_functions_are_judged_one_by_one() -> None:
    records = [
        by_function("kernels/lz", {"f": (1, 2), "main": (3, 3)}),
        by_function("kernels/json", {"main": (40, 20)}),
        *RECORDS[:2],
        RECORDS[4],
    ]
    rows = rows_of(records, spoken)
    (functions,) = (row for row in rows if row.what == "functions")
    assert (functions.count, functions.packages, functions.failed) == (3, 2, 0)
    # Functions of a program belong to its package.
    assert functions.comparison.mean.bounds is not None
    assert functions.comparison.mean.mean == pytest.approx(1)
    assert functions.comparison.worse == pytest.approx(1 / 3)
    assert functions.comparison.worst_program == "kernels/json main"
    text = to_markdown(rows)
    assert "`text_size`, `kernels:test`, by function" in text
    assert "| policy | functions | total |" in text
    assert "3 of 2 packages" in text


def test_what_was_spent_is_a_median() -> None:
    records = [
        episode("kernels/lz", "search", 90, 100)
        | {"seed": seed, "search": {"compiles": compiles, "seconds": seconds}}
        for seed, compiles, seconds in (
            (0, 5, 1),
            (1, 1200, 60),
            (2, 1204, 3600),
            (7, 9, 60),
        )
    ]
    text = to_markdown(rows_of(records, spoken))
    assert text.endswith(" | 0 to 2, 7 | 604 compiles, 60 s |\n")
    assert "| 5 compiles, 1.0 s |" in to_markdown(rows_of(records[:1], spoken))
    # What one of the journals does not say is not made up.
    [row] = rows_of([*records, episode("kernels/lz", "search", 90, 100)], spoken)
    assert (row.seeds, row.spent) == ((0, 1, 2, 7), "")


@pytest.mark.parametrize(
    ("env_id", "policy", "spent"),
    [
        ("Inlining", "last_use", "one compile"),
        ("Inlining", "never", "one compile"),
        ("Inlining", "reference", "one compile"),
        ("PassOrdering", "reference", "up to 48 orders"),
        ("PassOrdering", "pass_ordering_once=reference", "one compile"),
        ("PassOrdering", "best", ""),
        ("Inlining", "gone.policy", ""),
        ("Inlining", "best_of_64", ""),
        ("Inlining", "mine:policy", ""),
    ],
)
def test_a_policy_takes_one_compile(env_id: str, policy: str, spent: str) -> None:
    env = {"env": f"mlcompiler/{env_id}-v0"}
    [row] = rows_of([episode("kernels/lz", policy, 90, 100) | env], spoken)
    assert row.spent == spent


def test_trainings_are_those_of_the_cards(tmp_path: Path) -> None:
    card = pb.Card(method="by hand", programs=list("abcde"), seeds=[3])
    path = str(tmp_path / "mine.policy")
    PortablePolicy.named("llvm", "inlining").with_card(card).save(path)
    records = [
        episode("kernels/lz", policy, 90, 100) for policy in (path, "llvm", "ours")
    ]
    assert trainings_of(rows_of(records[1:], spoken)) == ""
    text = trainings_of(rows_of(records, spoken))
    row = (
        f"| {path} in mlcompiler/Inlining-v0 | by hand | `a`, `b`, `c` and 2 more | 3 |"
    )
    assert text.splitlines()[4:] == [row]


def test_targets_have_tables_of_their_own() -> None:
    other = {"settings": {"target": "aarch64-linux-gnu"}}
    rows = rows_of([RECORDS[4], RECORDS[4] | other], spoken)
    assert [row.target for row in rows] == ["", "aarch64-linux-gnu"]
    assert "`text_size`, `aarch64-linux-gnu`, `kernels:test`" in to_markdown(rows)


def test_markdown() -> None:
    text = to_markdown(rows_of(RECORDS, spoken))
    assert text.startswith("## mlcompiler/Inlining-v0, `text_size`, `kernels:test`")
    assert "| ours, C++ alone | 1 of 1 packages | +10.00% | +10.00% |" in text
    assert "2 of 2 packages; 1 failed | -20.00% |" in text


def test_language_is_that_of_the_symbols() -> None:
    assert language_of("kernels/lz") == "C"


def test_the_command(tmp_path: Path) -> None:
    journal = tmp_path / "one.jsonl"
    journal.write_text(json.dumps(RECORDS[-1]) + "\n")
    (tmp_path / "preface.md").write_text("# Results\n")
    lines = [
        {"name": f"round {n}", "spent": {"compiles": 4 * n}, "held_out": {"ratio": 0.9}}
        for n in (1, 2)
    ]
    curve = tmp_path / "evictions_es.jsonl"
    curve.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "docs").mkdir()
    drawn = ["--curve=evictions_es.jsonl", "--picture=docs/c.png", "-o", "docs/r.md"]
    cli("results", str(journal), "--preface=preface.md", *drawn, cwd=tmp_path)
    text = (tmp_path / "docs/r.md").read_text()
    head = "# Results\n\n## Learning curves\n\n![evictions es](c.png)\n\n## mlc"
    assert text.startswith(head)
    assert "| ours | 1 of 1 packages | +0.00% |" in text
    assert (tmp_path / "docs/c.png").read_bytes().startswith(b"\x89PNG")
    missing = cli("results", "none.jsonl", cwd=tmp_path, status=1)
    assert "there is no journal none.jsonl" in missing.stderr
