# SPDX-License-Identifier: Apache-2.0
"""A validation as text."""

from __future__ import annotations

import itertools
import shlex
import textwrap
from collections.abc import Iterator

from mlcompiler_gym.validation.result import Difference, Unusable, Validation
from mlcompiler_gym.validation.sandbox import Run

#: Characters of a line that are shown.
_WIDTH = 100


def report(validation: Validation) -> str:
    """Which inputs differ, in what, and how to see it again."""
    lines = [f"{validation.program}: {_summary(validation)}"]
    for difference in validation.differences:
        lines += _indented(_difference(difference))
    for unusable in validation.unusable:
        lines += _indented(_unusable(unusable))
    if validation.differences:
        lines += _indented(_reproduction(validation))
    return "\n".join(lines)


def _indented(lines: Iterator[str]) -> list[str]:
    return [textwrap.indent(line, "  ") for line in lines]


def _summary(validation: Validation) -> str:
    count = len(validation.inputs)
    inputs = f"{count} input{'s' if count != 1 else ''}"
    match validation.status:
        case "same":
            return f"the optimised code computes the same on {inputs}"
        case "different":
            wrong = len(validation.differences)
            return (
                "MISCOMPILED: the optimised code does something else than the "
                f"unoptimised code on {wrong} of {inputs}"
            )
        case "not deterministic":
            return (
                "not deterministic: the unoptimised code does something else each "
                "time, so it cannot tell whether the optimised code is right"
            )
        case "invalid reference":
            return (
                "invalid reference: the unoptimised code crashes or reaches a "
                "limit, so it cannot tell whether the optimised code is right"
            )


def _difference(difference: Difference) -> Iterator[str]:
    yield f"{_input(difference.input)}: {difference.kind}"
    yield from _comparison(
        difference.expected, difference.actual, ("expected", "actual")
    )
    if not difference.repeatable:
        yield "  run once more, the optimised code did yet another thing"


def _unusable(unusable: Unusable) -> Iterator[str]:
    yield f"{_input(unusable.input)}: {unusable.problem}"
    if unusable.problem == "not deterministic":
        yield from _comparison(unusable.first, unusable.second, ("first", "second"))
    else:
        yield f"  unoptimised: {_ending(unusable.first)}"


def _input(arguments: tuple[str, ...]) -> str:
    return f"input {shlex.join(arguments)}" if arguments else "input (no arguments)"


def _comparison(left: Run, right: Run, names: tuple[str, str]) -> Iterator[str]:
    if _ending(left) != _ending(right):
        yield "  end of the program:"
        for name, run in zip(names, (left, right), strict=True):
            yield f"    {name}: {_ending(run)}"
    if left.output != right.output and not (left.timed_out or right.timed_out):
        yield from _first_line(left.output, right.output, names)


def _ending(run: Run) -> str:
    if run.timed_out:
        return "its time was up"
    if run.truncated:
        return f"it printed more than {len(run.output)} bytes"
    if run.signal is not None:
        return f"ended by {run.signal}"
    return f"exit status {run.status}"


def _first_line(left: bytes, right: bytes, names: tuple[str, str]) -> Iterator[str]:
    pairs = itertools.zip_longest(left.split(b"\n"), right.split(b"\n"))
    for number, pair in enumerate(pairs, 1):
        if pair[0] != pair[1]:
            yield f"  output, line {number}:"
            start = _first_column(pair[0] or b"", pair[1] or b"")
            for name, line in zip(names, pair, strict=True):
                yield f"    {name}: {_line(line, start)}"
            return


def _first_column(left: bytes, right: bytes) -> int:
    for column, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return column
    return min(len(left), len(right))


def _line(line: bytes | None, difference: int) -> str:
    """The part of a line where it differs."""
    if line is None:
        return "(the output ends before)"
    start = max(0, difference - _WIDTH // 2) if len(line) > _WIDTH else 0
    part = line[start : start + _WIDTH]
    text = part.decode("ascii", errors="backslashreplace")
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    before = "…" if start else ""
    after = "…" if start + len(part) < len(line) else ""
    return f"{before}{text}{after}" if line else "(an empty line)"


def _reproduction(validation: Validation) -> Iterator[str]:
    yield f"program: {validation.program}, SHA-256 {validation.program_sha256}"
    trajectory = validation.trajectory
    if trajectory is None:
        return
    if validation.trajectory_file is None:
        yield f"trajectory: {trajectory.to_json()}"
        load = "Trajectory.from_json(that line)"
    else:
        yield f"trajectory: saved to {validation.trajectory_file}"
        load = f"Trajectory.load({validation.trajectory_file!r})"
    yield f"to reproduce: mlcompiler_gym.replay({load}).object_code is the code"
