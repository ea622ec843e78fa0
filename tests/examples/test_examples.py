# SPDX-License-Identifier: Apache-2.0
"""Every example and the demo run, and do what they promise."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mlcompiler_gym import Trajectory, replay
from mlcompiler_gym.modelling import CostModel

EXAMPLES = Path(__file__).parents[2] / "examples"


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
    assert re.search(r"all \d+ .* \d+ .* \d+ .* \d+ .* [+-]\d+\.\d\d%", output)
    assert re.search(r"smaller than LLVM's on \d+ of \d+ programs", output)
    assert re.search(r"To inline nothing comes to [+-]\d", output)
    assert (folder / "out/inlining_vs_oz.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "out/policy.zip").stat().st_size > 1000
    return output


def test_demo_quick(tmp_path: Path) -> None:
    options = ("--steps", "64", "--num-envs", "4")
    programs = ("kernels/lisp", "kernels/hashes")
    output = check_demo(tmp_path, *options, "--programs", *programs)
    for program in programs:
        assert re.search(rf"{program} .* \d+ .* \d+ .* [+-]\d+\.\d\d%", output)


def test_a_text_agent_plays_an_episode(tmp_path: Path) -> None:
    output = run(EXAMPLES / "text_agent.py", cwd=tmp_path)
    assert "Answer with the name of one action" in output
    assert re.search(r"\d+ decisions. The compile is done.", output)


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


def test_pass_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options = ("--programs", "kernels:test", "--seconds", "1", "--limit")
    script = EXAMPLES / "pass_search.py"
    run(script, *options, "1", cwd=tmp_path)
    first = (tmp_path / "search.jsonl").read_text()
    output = run(script, *options, "2", cwd=tmp_path)
    results = (tmp_path / "search.jsonl").read_text()
    assert results.startswith(first)
    rows = [json.loads(line) for line in results.splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert row["value"] <= row["Oz"]
        assert row["same"] == "yes"
        gain = 1 - row["value"] / row["Oz"]
        assert re.search(rf"{row['program']} .* {re.escape(f'{gain:+.1%}')}", output)
    assert "2 programs: geometric mean" in output


def test_pass_search_with_a_number_of_compiles(tmp_path: Path) -> None:
    options = ("--programs", "kernels:test", "--limit", "1", "--compiles", "2")
    run(EXAMPLES / "pass_search.py", *options, cwd=tmp_path)
    [row] = [
        json.loads(line)
        for line in (tmp_path / "search.jsonl").read_text().splitlines()
    ]
    trajectory = Trajectory.from_json(json.dumps(row["trajectory"]))
    assert replay(trajectory).values == {"ir_instructions": row["value"]}
    # Among the actions of the leaderboard's tracks, beginning with most of -Oz.
    assert trajectory.config.options["actions"] == "llvm22"
    assert len(trajectory.actions) > 30


def test_dqn_poset(tmp_path: Path) -> None:
    options = ("--steps", "40", "--train", "kernels/lz", "--test", "kernels/regex")
    output = run(EXAMPLES / "dqn_poset.py", *options, cwd=tmp_path)
    assert re.search(r"kernels/regex +[+-]\d+\.\d% +[+-]\d+\.\d%", output)


#: A factor with three digits behind the point.
FACTOR = r"\s+(\d+\.\d{3})"


def check_baselines(folder: Path, *options: str) -> dict[str, list[float]]:
    """The nine factors of each row: three policies for each of three objectives."""
    script = EXAMPLES / "regalloc_baselines.py"
    output = run(script, "--output", "plot.png", *options, cwd=folder)
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
    rows = re.findall(rf"^ (\S.*?)\s+\d+{FACTOR * 9}\s*$", output, re.MULTILINE)
    assert rows, output
    return {row[0]: [float(factor) for factor in row[1:]] for row in rows}


def test_regalloc_baselines(tmp_path: Path) -> None:
    # More values at once than there are registers.
    (tmp_path / "own.c").write_text(
        "void own(volatile long *p) {\n"
        + "".join(f"  long v{i} = *p;\n" for i in range(30))
        + "".join(f"  *p = v{i} * v{i * 7 % 30};\n" for i in reversed(range(30)))
        + "}\n"
    )
    options = ("--programs", "kernels/vm", "kernels/heaps", "own.c")
    rows = check_baselines(tmp_path, *options)
    assert list(rows) == ["kernels/vm", "kernels/heaps", "own.c", "geometric mean"]
    for factors in rows.values():
        assert factors[0::3] == [1, 1, 1]  # the heuristic's
    vm, heaps, own, mean = rows.values()
    assert vm[1] > vm[2] > 1
    assert mean[1] == pytest.approx((vm[1] * heaps[1] * own[1]) ** (1 / 3), abs=2e-3)


@pytest.mark.slow
def test_regalloc_baselines_elsewhere(tmp_path: Path) -> None:
    options = ("--target", "aarch64-linux-gnu", "--cpu", "neoverse-n1")
    programs = ("--programs", "kernels/matrix", "kernels/lz")
    first, again, other = (
        check_baselines(tmp_path, *options, *programs, "--seed", seed)
        for seed in ("1", "1", "2")
    )
    assert first == again
    assert first["kernels/matrix"] != other["kernels/matrix"]
    here = check_baselines(tmp_path, *programs, "--seed", "1")
    assert first["kernels/matrix"] != here["kernels/matrix"]


def maskable_ppo(folder: Path, *options: str) -> tuple[str, list[list[float]]]:
    """Output, and the curve of seed 0, of a run on a few functions."""
    output = run(
        EXAMPLES / "maskable_ppo_regalloc.py",
        *("--train", "kernels/vm", "--validation", "kernels/heaps"),
        *("--test", "kernels/lrucache", "--num-envs", "2", *options),
        cwd=folder,
    )
    for name in ("policy-0.zip", "checkpoint-0.zip"):
        assert (folder / "regalloc_ppo" / name).stat().st_size > 1000
    plot = folder / "regalloc_ppo/regalloc_ppo.png"
    assert plot.read_bytes().startswith(b"\x89PNG")
    curve = json.loads((folder / "regalloc_ppo/curve-0.json").read_text())
    assert isinstance(curve, list)
    return output, curve


def test_maskable_ppo_regalloc(tmp_path: Path) -> None:
    output, curve = maskable_ppo(tmp_path, "--steps", "64")
    assert [steps for steps, _ in curve] == [0, 64]
    row = re.search(r"│ 0 +│(?: +[+-]\d+\.\d\d% │){3}((?: +\d+% │){3})", output)
    assert row is not None, output
    assert sum(map(int, re.findall(r"\d+", row[1]))) == pytest.approx(100, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "saved", "options"),
    [
        ("ppo", "zip", ("--num-envs", "2", "--steps", "64")),
        ("ppo", "zip", ("--num-envs", "2", "--steps", "64", "--begin", "rule")),
        ("gnn", "pt", ("--episodes", "4", "--batch", "4")),
    ],
)
def test_full_regalloc(
    name: str, saved: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    sets = [("--" + each, "kernels/heaps") for each in ("train", "validation", "test")]
    output = run(
        EXAMPLES / f"{name}_full_regalloc.py",
        *(word for each in sets for word in each),
        *options,
        cwd=tmp_path,
    )
    assert re.search(r"seed 0: [+-]\d+\.\d\d% on \d+ held-out", output), output
    folder = tmp_path / f"full_regalloc_{name}"
    assert (folder / f"policy-0.{saved}").stat().st_size > 1000
    assert (folder / "curve-0.png").read_bytes().startswith(b"\x89PNG")
    curve = json.loads((folder / "result-0.json").read_text())["curve"]
    assert [steps > 0 for steps, _ in curve] == [False, True]


@pytest.mark.slow
def test_maskable_ppo_regalloc_goes_on(tmp_path: Path) -> None:
    options = ("--validate-every", "1")
    _, first = maskable_ppo(tmp_path, "--steps", "256", *options)
    # Another seed beside it; the first one is not there to be gone on with.
    output, longer = maskable_ppo(
        tmp_path, "--steps", "768", "--resume", "--seeds", "0", "1", *options
    )
    assert longer[: len(first)] == first
    assert [steps for steps, _ in longer] == [0, 256, 512, 768]
    assert re.search(r"│ mean +│.* [+-]\d+\.\d\d% ± \d+\.\d\d%", output)
    # Without --resume, it begins again and does the same.
    _, again = maskable_ppo(tmp_path, "--steps", "256", *options)
    assert again == first
    _, blank = maskable_ppo(tmp_path, "--steps", "256", "--from-nothing", *options)
    assert blank[0] != first[0]


def test_ppo_loops(tmp_path: Path) -> None:
    output = run(
        EXAMPLES / "ppo_loops.py",
        *("--train", "loops/recur_split_tail", "--held-out", "loops/gather_histogram"),
        *("--steps", "64", "--num-envs", "2", "--partitions", "1", "--repeats", "2"),
        cwd=tmp_path,
    )
    assert re.search(r"loop_cost, of the least: -?\d+% of the gain", output)
    # On a busy machine none may be faster than -O3.
    assert re.search(r"time, of the fastest: (-?\d+% of the gain|not even)", output)
    (row,) = json.loads((tmp_path / "loops_ppo/gains.json").read_text())
    costs = row["cost_gains"]
    assert costs["never"] == 0
    assert costs["least cost"] >= max(costs["maximal"], costs["seed 0"], 0)
    assert row["time_gains"]["never"] == 0
    plot = tmp_path / "loops_ppo/loops_ppo.png"
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "loops_ppo/policy-0.zip").stat().st_size > 1000


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


def test_a_cost_model_is_learned(tmp_path: Path) -> None:
    builds = EXAMPLES.parent / "benchmarks/results/builds.parquet"
    output = run(EXAMPLES / "cost_model.py", builds, "-o", "it.policy", cwd=tmp_path)
    found = re.search(r"not for training: (\d+\.\d)% of pairs", output)
    assert found is not None
    assert float(found[1]) > 75
    assert CostModel.load(tmp_path / "it.policy").message.card.programs
