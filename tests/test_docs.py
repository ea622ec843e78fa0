# SPDX-License-Identifier: Apache-2.0
"""The code of README and docs, run as a reader would who goes from top to bottom."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import tomllib
import unittest
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from support.servers import ServerProcess
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from mlcompiler_gym.cli import COMMANDS
from mlcompiler_gym.cli.app import app
from mlcompiler_gym.evaluation import Evaluation, evaluate

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: Its code is for a tree in which it has been followed; see test_adding_a_task.py.
ELSEWHERE = {"adding_a_task.md"}

#: They evaluate or train policies on all kernels, or run programs many times.
SLOW = {"evaluation.md", "measuring.md", "policies.md"}

PYTHON = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()])

MAIN_C = """
#include <stdio.h>
#include <stdlib.h>
static int twice(int x) { return 2 * x; }
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%d\\n", twice(atoi(argv[i])));
  return 0;
}
"""


def pages() -> list[Any]:
    return [
        pytest.param(
            page, id=page.name, marks=[pytest.mark.slow] if page.name in SLOW else []
        )
        for page in PAGES
        if "```python" in page.read_text() and page.name not in ELSEWHERE
    ]


def prepare(page: Path) -> dict[str, Any]:
    """What the text takes for granted, in the folder that it runs in."""
    if page.name == "evaluation.md":
        evaluation = Evaluation("mlcompiler/Inlining-v0", "llvm")
        (record,) = evaluate(evaluation, "kernels/lz", "out")
        return {"json": json, "record": record}
    if page.name == "programs.md":
        Path("main.c").write_text(MAIN_C)
        database = [{"directory": ".", "file": "main.c", "command": "cc -c main.c"}]
        Path("compile_commands.json").write_text(json.dumps(database))
        app(
            ["programs", "extract", "compile_commands.json", "-o", "my-programs"],
            standalone_mode=False,
        )
    if page.name in ("errors.md", "service.md"):
        return {"gym": gym, "env": gym.make("mlcompiler/Inlining-v0")}
    return {}


def test_the_table_of_extras_is_complete() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs/install.md").read_text()
    section = text.split("## Extras")[1].split("\n## ")[0]
    # What this project is tested and developed with comes with a checkout.
    extras = set(project["optional-dependencies"]) - {"dev", "test"}
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == extras


@pytest.mark.parametrize("page", pages())
def test_python_blocks_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    text = page.read_text()
    server = None
    if "127.0.0.1:5051" in text:
        server = ServerProcess(tmp_path)
        text = text.replace("127.0.0.1:5051", f"127.0.0.1:{server.port}")
    copy = tmp_path / page.name
    copy.write_text(text)
    document = PYTHON.parse(copy)
    document.namespace.update(prepare(page))
    examples = list(document.examples())
    assert len(examples) >= text.count("```python")
    try:
        for example in examples:
            # What a comment in the page says cannot be run everywhere.
            with contextlib.suppress(unittest.SkipTest):
                example.evaluate()
    finally:
        for value in document.namespace.values():
            if isinstance(value, (gym.Env, gym.vector.VectorEnv)):
                value.close()  # type: ignore[no-untyped-call, unused-ignore]
        if server is not None:
            server.terminate()
            server.process.wait()


def command_lines() -> list[Any]:
    found = []
    for page in PAGES:
        document = Sybil(parsers=[CodeBlockParser("sh", lambda _: None)]).parse(page)
        for block in document.examples():
            # A command may go on behind a backslash, and have a comment.
            for line in block.parsed.replace("\\\n", " ").splitlines():
                for part in line.split("&&"):
                    words = shlex.split(part, comments=True)
                    if words[:1] == ["mlcompiler-gym"]:
                        found.append(
                            pytest.param(words[1:], id=f"{page.name}: {words}")
                        )
    return found


@pytest.mark.parametrize("arguments", command_lines())
def test_commands_are_such(arguments: list[str]) -> None:
    """A command that is asked for its help still refuses options it does not have."""
    app([*arguments, "--help"], standalone_mode=False)


def test_the_table_of_commands_is_complete() -> None:
    rows = (ROOT / "docs" / "command_line.md").read_text().splitlines()
    described = {
        name.split()[0]
        for row in rows
        if row.startswith("| `")
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    assert described == set(COMMANDS)


@pytest.mark.parametrize("wrong", ["eval --polcy llvm", "programs fetsch pypi"])
def test_others_are_not(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such (option|command)"):
        app([*wrong.split(), "--help"], standalone_mode=False)
