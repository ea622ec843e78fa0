# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym tune``, as a user types it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.commands import cli
from typer.testing import CliRunner

from mlcompiler_gym import load_programs
from mlcompiler_gym.cli.app import app


def test_the_command(tmp_path: Path) -> None:
    study, picture, code, trajectory = (
        tmp_path / name for name in ("lz.log", "lz.png", "lz.o", "lz.json")
    )
    arguments: list[str | Path] = [
        "tune",
        "kernels/lz",
        "--study",
        study,
        "--plot",
        picture,
    ]
    arguments += ["--objective", "text_size", "--objective", "ir_instructions"]
    arguments += ["--parameters", "inliner", "-o", code]
    arguments += ["--trajectory", trajectory]
    cli(*arguments, "--compiles", "6")
    done = cli(*arguments, "--compiles", "10")
    assert "10 compiles" in done.stderr
    assert "LLVM's own" in done.stdout
    # There is no bar where there is no terminal.
    assert "━" not in done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert code.read_bytes().startswith(b"\x7fELF")
    [line] = (x for x in done.stdout.splitlines() if x.startswith("opt-22 "))
    [program] = load_programs("kernels/lz")
    (tmp_path / "input.bc").write_bytes(program.bitcode)
    subprocess.run(line, shell=True, cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "output.o").read_bytes() == code.read_bytes()
    cli("replay", trajectory, "-o", tmp_path / "again.o")
    assert (tmp_path / "again.o").read_bytes() == code.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kernels/lz", "--sampler", "best"], "sampler is tpe, random, cmaes"),
        (["kernels/lz", "--objective", "beauty"], "unknown objective 'beauty'"),
        (["kernels/lz", "--parameters", "x"], "no parameter and no group 'x'"),
        (["kernels"], "is 44 programs; name one"),
        (["no/such.c"], "no/such.c"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["tune", *arguments])
    assert done.exit_code == 1
    assert message in done.output
