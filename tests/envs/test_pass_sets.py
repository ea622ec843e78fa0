# SPDX-License-Identifier: Apache-2.0
"""The set of all of LLVM's transform passes, against the registry of `opt`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.pass_ordering import SETS, MakeOrdering, orderings
from support.samples import TRIPLE
from support.toolchain import run

from mlcompiler_gym import LocalService

DOCS = Path(__file__).parents[2] / "docs" / "pass_ordering.md"
MANAGERS = {"module", "cgscc", "function", "loop", "loop-mssa"}


@pytest.fixture
def make_ordering(service: LocalService) -> Iterator[MakeOrdering]:
    """``make_ordering(actions=…)`` on a service of the test's own."""
    with orderings(service) as make:
        yield make


def names_in(pipeline: str) -> set[str]:
    """The passes that a pipeline names, without their parameters."""
    return set(re.findall(r"[\w-]+", re.sub("<[^>]*>", "", pipeline))) - MANAGERS


def registry() -> set[str]:
    """The passes over IR that `opt` knows."""
    names: set[str] = set()
    listed = run("opt-22", "--print-passes").decode()
    for title, body in re.findall(r"^(\S.*):\n((?:  .*\n)*)", listed, re.MULTILINE):
        if "analyses" not in title and not title.startswith("Machine"):
            names |= {line.strip().split("<", 1)[0] for line in body.splitlines()}
    return names


def documented() -> list[str]:
    """The passes that the documentation says are left out."""
    section = DOCS.read_text().split("## What is not in `llvm22`")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall("`(.*?)`", row.split("|")[1])]


def test_every_pass_is_in_the_set_or_it_is_said_why_not(
    make_ordering: MakeOrdering,
) -> None:
    chosen = {name for a in make_ordering().action_names for name in names_in(a)}
    left_out = documented()
    assert len(set(left_out)) == len(left_out)
    assert len(registry()) > 300
    assert not chosen & set(left_out)
    assert chosen | set(left_out) == registry()


@pytest.mark.parametrize("actions", SETS)
def test_no_set_names_what_is_left_out(
    make_ordering: MakeOrdering, actions: str
) -> None:
    for action in make_ordering(actions=actions).action_names:
        assert not names_in(action) & set(documented())


@pytest.mark.slow
def test_opt_takes_each_action(make_ordering: MakeOrdering) -> None:
    # Without a level, `opt` takes that of the first pass for all: one by one.
    sets = [make_ordering(actions=actions).action_names for actions in SETS]
    parts = {part for names in sets for name in names for part in name.split(",")}
    for part in sorted(parts):
        # Some passes want to know the target.
        run("opt-22", f"-passes={part}", "-disable-output", data=TRIPLE.encode())


def test_the_table_is_that_of_the_service(make_ordering: MakeOrdering) -> None:
    """Its sizes are what the documentation says they are."""
    text = DOCS.read_text()
    for actions in SETS:
        count = len(make_ordering(actions=actions).action_names)
        assert f"| `{actions}` | {count} |" in text
