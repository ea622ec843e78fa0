# SPDX-License-Identifier: Apache-2.0
"""Every example and the demo run, and do what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mlcompiler_gym import Trajectory, replay

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a Python program that is to succeed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "MPLBACKEND": "Agg", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_demo(folder: Path, *options: str) -> str:
    output = run("-m", "mlcompiler_gym.demo", "--output", "out", *options, cwd=folder)
    assert re.search(r"total .* \d+ .* \d+ .* [+-]\d+\.\d\d%", output)
    assert re.search(r"smaller than -Oz's on \d+ of \d+ programs", output)
    assert (folder / "out/inlining_vs_oz.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "out/policy.zip").stat().st_size > 1000
    return output


def test_demo_quick(tmp_path: Path) -> None:
    options = ("--steps", "64", "--num-envs", "4")
    programs = ("kernels/lisp", "kernels/hashes")
    output = check_demo(tmp_path, *options, "--programs", *programs)
    for program in programs:
        assert re.search(rf"{program} .* \d+ .* \d+ .* [+-]\d+\.\d\d%", output)


def test_demo_with_an_unknown_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlcompiler_gym.demo", "--programs", "kernels/none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "unknown program 'kernels/none'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_demo_has_real_programs_and_is_reproducible(tmp_path: Path) -> None:
    tables = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        output = check_demo(folder, "--steps", "2048", "--seed", "3")
        tables.append(re.findall(r"│.*│", output))
    assert tables[0] == tables[1]
    assert any("kernels/regex" in row for row in tables[0])
    if Path("/usr/include/stb/stb_image_write.h").exists():
        assert any("stb_image_write" in row for row in tables[0])


def test_ppo_sb3(tmp_path: Path) -> None:
    options = ("--steps", "64", "--num-envs", "2")
    output = run(EXAMPLES / "ppo_sb3.py", *options, cwd=tmp_path)
    assert re.search(r"kernels/json .* \d+ .* \d+ .* [+-]\d+\.\d%", output)


@pytest.mark.slow
def test_ppo_sb3_at_its_usual_size(tmp_path: Path) -> None:
    output = run(EXAMPLES / "ppo_sb3.py", "--steps", "2048", cwd=tmp_path)
    for program in ("json", "lz", "regex"):
        assert f"kernels/{program}" in output


@pytest.mark.parametrize("budget", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_greedy_fork(tmp_path: Path, budget: int) -> None:
    output = run(
        EXAMPLES / "greedy_fork.py",
        *("--program", "kernels/regex", "--budget", str(budget)),
        *("--output", "best.json"),
        cwd=tmp_path,
    )
    found = re.search(r"regex: (\d+) bytes, -Oz (\d+) bytes", output)
    assert found is not None, output
    assert int(found[1]) <= int(found[2])
    if budget == 60:
        assert int(found[1]) < int(found[2])
    trajectory = Trajectory.load(tmp_path / "best.json")
    assert replay(trajectory).values == {"text_size": float(found[1])}


def test_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    path = EXAMPLES / "first_steps.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert all(not c.outputs for c in notebook.cells if c.cell_type == "code")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the notebook draws inline
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [o for c in notebook.cells for o in c.get("outputs", ())]
    images = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(images) == 2
    assert any("the same object file: True" in o.get("text", "") for o in outputs)
