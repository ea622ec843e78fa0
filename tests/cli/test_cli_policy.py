# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym policy``, as a user and a CI job type it."""

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.builds import clang, mlcg
from support.commands import cli, cli_in_terminal
from support.policies import inlines_what_is_cheap, two_features, two_trees
from support.toolchain import KERNELS

from mlcompiler_gym import InliningEnv, PortablePolicy
from mlcompiler_gym.evaluation.statistics import geometric_mean

PROGRAMS = ("--programs", "kernels/lz", "--programs", "kernels/regex")


def policy_in(
    folder: Path, *arguments: str, status: int = 0, **env: str
) -> subprocess.CompletedProcess[str]:
    return cli("policy", *arguments, status=status, cwd=folder, env=env)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``cheap.policy``, which knows one kernel, and ``never.policy``."""
    policy = PortablePolicy(inlines_what_is_cheap())
    env = InliningEnv(programs="kernels/lz")
    env.reset()
    made = env.rollout(policy, features=True)
    assert made.features is not None
    costs = made.features[:, [env.setup.features.names.index("cost_estimate")]]
    env.close()
    policy.with_seen(costs).save(tmp_path / "cheap.policy")
    PortablePolicy.named("inactive", "inlining").save(tmp_path / "never.policy")
    return tmp_path


def test_show_fits_a_terminal(tmp_path: Path) -> None:
    message = two_features()
    message.card.method = "Imitates LLVM, and then " + "learns a little more. " * 8
    message.card.results.add(name="text_size, kernels:test", value=0.9876)
    policy = PortablePolicy(message).with_seen(np.zeros((7, 3), np.float32))
    policy.save(tmp_path / "network.policy")
    PortablePolicy(two_trees()).save(tmp_path / "trees.policy")
    lines = cli_in_terminal("policy", "show", "network.policy", cwd=tmp_path)
    assert max(map(len, lines)) <= 80
    shown = " ".join(lines)
    for part in (
        "inlining",
        "x=true",
        "a (2): signed log; (x - 1) * [0.5 .. 2]; clip to -2 .. 2",
        "3 → 2 tanh → 2, 14 parameters",
        "categorical",
        "text_size, kernels:test 0.9876",
        "7 decisions",
    ):
        assert part in " ".join(shown.split())
    shown = policy_in(tmp_path, "show", "trees.policy").stdout
    assert "2 trees for 1 outputs, 10 nodes, at most 2 comparisons each" in shown
    assert "scalar, low -1, high 2" in shown
    assert "last_use, by name" in policy_in(tmp_path, "show", "last_use").stdout
    found = json.loads(policy_in(tmp_path, "show", "network.policy", "--json").stdout)
    assert found["bytes"] == (tmp_path / "network.policy").stat().st_size
    assert found["function"]["layers"][0] == {"outputs": 2, "activation": "tanh"}
    assert found["card"]["author"] == "the tests"


def test_compare_says_what_differs(tmp_path: Path) -> None:
    one, other = two_features(), two_features()
    other.model.network.layers[0].weights[3] += 0.25
    del other.model.inputs[0].transforms[2]
    other.card.author = "somebody else"
    PortablePolicy(one).save(tmp_path / "one.policy")
    PortablePolicy(other).save(tmp_path / "other.policy")
    arguments = ("compare", "one.policy", "other.policy")
    found = json.loads(policy_in(tmp_path, *arguments, "--json").stdout)["different"]
    assert found.pop("bytes") == [
        (tmp_path / f"{name}.policy").stat().st_size for name in ("one", "other")
    ]
    assert found.pop("largest change of a number") == [0.0, 0.25]
    assert found.pop("card.author") == ["the tests", "somebody else"]
    assert list(found) == ["input a"]
    assert "somebody else" in policy_in(tmp_path, *arguments).stdout
    same = policy_in(tmp_path, "compare", "one.policy", "one.policy").stderr
    assert "the two say the same" in same


def test_compare_plays_both(folder: Path) -> None:
    # A policy by name is of the other one's task, whichever comes first.
    policy_in(folder, "compare", "cheap.policy", "inactive", *PROGRAMS)
    arguments = ("compare", "inactive", "cheap.policy", *PROGRAMS)
    shown = policy_in(folder, *arguments).stderr
    journal = (folder / "compare.jsonl").read_bytes()
    records = [json.loads(line) for line in journal.splitlines()]
    assert len(records) == 4
    values: dict[str, dict[str, float]] = {}
    for record in records:
        name = record["policy"].split()[0]
        values.setdefault(record["program"], {})[name] = record["objective"][
            "text_size"
        ]
    ratios = [each["cheap.policy"] / each["inactive"] for each in values.values()]
    expected = geometric_mean(ratios, list(values))
    assert expected.bounds is not None
    low, high = expected.bounds
    assert f"geometric mean {expected.mean:.4f} ({low:.4f} to {high:.4f}, 95%)" in shown
    # What is done is not done again, and says the same.
    found = json.loads(policy_in(folder, *arguments, "--json").stdout)
    assert (folder / "compare.jsonl").read_bytes() == journal
    assert found["geometric_mean"] == pytest.approx(expected.mean)
    assert [unit["program"] for unit in found["units"]] == list(values)


def gate(folder: Path, *budgets: str, status: int) -> tuple[str, dict[str, Any]]:
    done = policy_in(
        folder,
        "gate",
        "never.policy",
        *PROGRAMS,
        *budgets,
        "--repeats",
        "1",
        "--json",
        "gate.json",
        "--junit",
        "gate.xml",
        status=status,
    )
    return done.stdout + done.stderr, json.loads((folder / "gate.json").read_text())


def test_gate_ends_as_a_ci_job_should(folder: Path) -> None:
    shown, found = gate(folder, "--max-worst", "100%", "--max-total", "2", status=0)
    assert "all 3 checks passed" in shown
    assert found["passed"]
    assert len({unit["ratio"] for unit in found["units"]}) == 2
    worst = max(unit["ratio"] for unit in found["units"])
    journal = (folder / "gate.jsonl").read_bytes()
    # A budget a little below what was found, of each kind; nothing is compiled again.
    shown, found = gate(folder, "--max-worst", f"{worst - 1e-4:.6f}", status=1)
    assert "1 of 2 checks failed" in shown
    assert not found["passed"]
    [failure] = ET.parse(folder / "gate.xml").getroot().iter("failure")
    assert found["worst_program"] in failure.get("message", "")
    shown, _ = gate(folder, "--max-package", f"{worst - 1e-4:.6f}", status=1)
    assert "package" in shown
    gate(folder, "--max-total", f"{found['total'] - 1e-4:.6f}", status=1)
    gate(folder, "--max-compile-time", "0.01", status=1)
    assert (folder / "gate.jsonl").read_bytes() == journal
    # Against itself nothing is worse, and LLVM is what time is held against.
    _, found = gate(folder, "--old", "never.policy", "--max-worst", "0%", status=0)
    assert {unit["ratio"] for unit in found["units"]} == {1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gate", "cheap.policy"), "there is no budget; say --max-worst"),
        (("gate", "cheap.policy", "--max-worst", "one"), "'one' is no budget"),
        (("gate", "cheap.policy", "--max-worst", "1%%"), "'1%%' is no budget"),
        (("gate", "nonsuch", "--max-worst", "1%"), "no policy 'nonsuch'"),
        (("gate", "llvm", "--max-worst", "1%"), "say which environment"),
        (("gate", "cooking=llvm", "--max-worst", "1%"), "the policy's task, 'cooking'"),
        (("show", "broken.policy"), "broken.policy: "),
        (("drift", "plain.policy"), "does not say what its inputs were"),
        (("drift", "cheap.policy", "--programs", "empty"), "no bitcode"),
        (("drift", "cheap.policy", "--report", "nowhere"), "cannot read the report"),
        (("drift", "cheap.policy", "--report", "cheap.policy"), "cannot read the"),
        (("drift", "cheap.policy", "--report", "other.jsonl"), "no unit that this"),
        (
            ("drift", "cheap.policy", "--report", "x", "--programs", "kernels"),
            "leave out programs",
        ),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    (folder / "broken.policy").write_bytes(b"MLCGPOL1 and nothing else")
    (folder / "empty").mkdir()
    (folder / "other.jsonl").write_text('{"policies": {"x": "12"}, "seen": {}}\n')
    PortablePolicy(inlines_what_is_cheap()).save(folder / "plain.policy")
    assert message in policy_in(folder, *arguments, status=1).stderr


def test_drift_compares_with_training(folder: Path) -> None:
    """What it was trained on has not drifted, and a random program has."""
    build = folder / "build" / "deeper"
    build.mkdir(parents=True)
    env = InliningEnv(programs="kernels/lz")
    env.reset()
    (build / "unit.bc").write_bytes(env.program.bitcode)
    env.close()
    arguments = ("drift", "cheap.policy", "--programs")
    found = json.loads(policy_in(folder, *arguments, "build", "--json").stdout)
    assert not found["drifted"]
    assert found["decisions"] > 30
    [element] = found["elements"]
    assert element["stability"] == pytest.approx(0, abs=1e-9)
    shown = policy_in(folder, *arguments, "csmith/1234", status=1).stderr
    assert "1 of 1 features drifted" in shown
    strict = ("--threshold", "1000")
    assert "0 of 1" in policy_in(folder, *arguments, "csmith/1234", *strict).stderr


def test_drift_reads_what_a_build_saw(folder: Path) -> None:
    """The same numbers as from playing the unit again."""
    source = KERNELS / "src" / "lz.c"
    flags = ["-Oz", "-fno-slp-vectorize"]
    done = mlcg(
        *("--mlcg-policy=cheap.policy", "--mlcg-policy=regalloc_eviction=llvm"),
        *("--mlcg-report=build.jsonl", *flags, "-c", str(source), "-o", "lz.o"),
        folder=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    arguments = ("drift", "cheap.policy", "--json")
    seen = json.loads(policy_in(folder, *arguments, "--report", "build.jsonl").stdout)
    bitcode = ["-emit-llvm", "-Xclang", "-disable-llvm-passes", "-o", "lz.bc"]
    clang(*flags, "-c", str(source), *bitcode, folder=folder)
    assert seen["decisions"] > 30
    assert not seen["drifted"]
    played = json.loads(policy_in(folder, *arguments, "--programs", "lz.bc").stdout)
    assert played == seen
    unit = json.loads((folder / "build.jsonl").read_text())
    assert list(unit["seen"]) == ["cheap.policy"]
    assert sum(unit["seen"]["cheap.policy"][0]) == unit["decisions"]["inlining"]
