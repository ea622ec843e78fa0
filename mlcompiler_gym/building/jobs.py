# SPDX-License-Identifier: Apache-2.0
"""What clang would run for a command line, as clang itself says it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_JOB = re.compile(rf"^ {_QUOTED}(?: {_QUOTED})*$", re.MULTILINE | re.DOTALL)
_ARGUMENT = re.compile(_QUOTED, re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
#: What clang says of itself before its jobs.
_ABOUT = re.compile(
    r"(.* )?clang version .*|Target: .*|Thread model: .*|InstalledDir: .*"
    r"|Configuration file: .*|Build config: .*|System configuration file .*"
    r"|User configuration file .*|(Found candidate|Selected|Candidate) .*"
    r"| \(in-process\)|\s*"
)


@dataclass(frozen=True)
class Plan:
    """What a command line of clang comes to.

    Attributes:
        jobs: Commands in the order in which clang would run them.
        said: What clang has to say of the command line, for standard error.
    """

    jobs: list[list[str]]
    said: str


def plan(command: Sequence[str]) -> Plan | None:
    """Ask clang for its jobs; None if it refuses the command line.

    Args:
        command: A command line of clang. Nothing of it is run.

    Raises:
        OSError: Clang cannot be run.
    """
    done = subprocess.run(
        [command[0], "-###", *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        return None
    # Names of files are bytes, and need not be UTF-8.
    printed = os.fsdecode(done.stderr)
    jobs = [
        [_ESCAPED.sub(r"\1", each[1:-1]) for each in _ARGUMENT.findall(job)]
        for job in _JOB.findall(printed)
    ]
    lines = _JOB.sub("", printed).splitlines(keepends=True)
    said = "".join(line for line in lines if not _ABOUT.fullmatch(line.rstrip("\n")))
    return Plan(jobs, said)


def is_unit(job: Sequence[str]) -> bool:
    """Whether a job optimises a file and writes an object of it."""
    return (
        job[1:2] == ["-cc1"]
        and "-emit-obj" in job
        and "-disable-llvm-passes" not in job
        and level(job) != "O0"
    )


def level(job: Sequence[str]) -> str:
    """``"O0"`` to ``"O3"``, ``"Os"`` or ``"Oz"``, of a job of the front end."""
    levels = [each[1:] for each in job if re.fullmatch(r"-O[0-3sz]", each)]
    return levels[-1] if levels else "O0"
