# SPDX-License-Identifier: Apache-2.0
"""What a person reads of a difference, and what is held of references."""

from pathlib import Path

import pytest

from mlcompiler_gym import Trajectory
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.validation import Difference, Run, Validation

TRAJECTORY = Trajectory("of/test", "ab" * 32, CompileConfig("inlining", "O2"), (1, 0))


def report_of(expected: bytes, actual: bytes) -> list[str]:
    difference = Difference((), Run(expected, status=0), Run(actual, status=0))
    found = Validation("of/test", "ab" * 32, ((),), (difference,))
    return found.report().splitlines()[2:5]


@pytest.mark.parametrize(
    ("expected", "actual", "number", "left", "right"),
    [
        (b"a\nb\n", b"a\nc\n", 2, "b", "c"),
        (b"a\nb\n", b"a\n", 2, "b", "(an empty line)"),
        (b"a\nb", b"a", 2, "b", "(the output ends before)"),
        (b"", b"x", 1, "(an empty line)", "x"),
        (b"\xff\x00\t", b"\xfe", 1, r"\xff\x00\t", r"\xfe"),
        (b"x" * 1000 + b"a" * 90, b"x" * 1000, 1, None, "…" + "x" * 50),
    ],
)
def test_the_first_line_that_differs(
    expected: bytes, actual: bytes, number: int, left: str | None, right: str
) -> None:
    lines = report_of(expected, actual)
    assert lines[0] == f"    output, line {number}:"
    assert lines[2] == f"      actual: {right}"
    if left is not None:
        assert lines[1] == f"      expected: {left}"
    assert all(len(line) < 130 for line in lines)


def different() -> Validation:
    difference = Difference((), Run(b"", status=0), Run(b"", status=1))
    return Validation("of/test", "ab" * 32, ((),), (difference,))


def test_the_trajectory_is_in_the_report() -> None:
    assert "trajectory" not in different().report()
    found = different().with_trajectory(TRAJECTORY)
    assert found.trajectory == TRAJECTORY
    lines = [line.strip() for line in found.report().splitlines()]
    (line,) = [line for line in lines if line.startswith("trajectory: ")]
    assert Trajectory.from_json(line.partition(" ")[2]) == TRAJECTORY


def test_the_trajectory_is_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    found = different().with_trajectory(TRAJECTORY, save_to=path)
    assert Trajectory.load(path) == TRAJECTORY
    assert f"trajectory: saved to {path}" in found.report()
    assert f"Trajectory.load('{path}')" in found.report()
    assert found.status == "different"
