# SPDX-License-Identifier: Apache-2.0
"""Loop distribution in real programs: which loops qualify, how many decisions come up.

Compiles each program of `LOOPS_PROGRAMS` (`pypi:validation`), merging always, and adds
up what `observe("loops")` says. Lines are those of the programs' own source files, as
the packages have them, without headers, blank lines and whole lines of comment; the
packages are downloaded to count them.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

import gymnasium

from mlcompiler_gym import CompilerEnv, load_programs
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.policies import inactive, play
from mlcompiler_gym.programs.pypi.corpus import find_package
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.sources import open_sources

PROGRAMS = os.environ.get("LOOPS_PROGRAMS", "pypi:validation")

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def code_lines(text: str) -> int:
    """Lines that are neither blank nor comment."""

    def blanked(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    return sum(bool(line.strip()) for line in _COMMENT.sub(blanked, text).split("\n"))


def count_lines(names: list[str]) -> dict[str, int]:
    """Lines of code by program."""
    lines = {}
    for package in sorted({name.split("/")[1] for name in names}):
        with tempfile.TemporaryDirectory() as folder:
            sources = open_sources(
                find_package(package), Index(), Path(folder), progress=False
            )
            for unit in sources.units:
                if unit.name in names:
                    text = (sources.root / unit.source).read_text(errors="replace")
                    lines[unit.name] = code_lines(text)
    return lines


def run() -> None:
    """Count and print."""
    env = gymnasium.make(
        "mlcompiler/LoopDistribution-v0",
        programs=PROGRAMS,
        objective="ir_instructions",
    ).unwrapped
    assert isinstance(env, CompilerEnv)
    names = [program.name for program in load_programs(PROGRAMS, level="O2")]
    lines = count_lines(names)
    skipped: Counter[str] = Counter()
    nodes: Counter[int] = Counter()
    failed = []
    with_decision = 0
    for name in names:
        try:
            play(env, inactive(env), options={"program": name})
        except ServiceError as error:
            failed.append(f"{name}: {error}")
            continue
        found = json.loads(env.observe("loops")["loops"])
        with_decision += any("skipped" not in loop for loop in found)
        for loop in found:
            if "skipped" in loop:
                # What is called does not matter here.
                skipped[loop["skipped"].partition(":")[0]] += 1
            else:
                nodes[loop["nodes"]] += 1
    env.close()
    decisions = sum((size - 1) * count for size, count in nodes.items())
    qualify = nodes.total()
    innermost = qualify + skipped.total()
    analysed = qualify + skipped["only one node"] + skipped["no effect"]
    total = sum(lines.values())
    print(
        f"{len(names)} programs ({len(failed)} failed), {total} lines of code; "
        f"{innermost} innermost loops, {analysed} of a form that can be analysed, "
        f"{qualify} of them with several nodes, in {with_decision} programs; "
        f"{decisions} decisions, {1000 * decisions / total:.2f} per thousand lines"
    )
    print("nodes:", ", ".join(f"{size}: {nodes[size]}" for size in sorted(nodes)))
    for reason, count in skipped.most_common():
        print(f"{count:6} {count / innermost:6.1%}  {reason}")
    print("\n".join(failed))
