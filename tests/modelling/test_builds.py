# SPDX-License-Identifier: Apache-2.0
"""Tables of builds, pairs of them, and how well numbers tell which is faster."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.commands import cli

from mlcompiler_gym import Program, Trajectory, load_programs, replay
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.modelling import (
    RECIPES,
    Builds,
    Collecting,
    agreement,
    collect,
    counts_by_size,
)

ROUNDS = 7


def table(seconds: dict[str, float], noise: float = 0.01) -> Builds:
    """Ten programs with these builds, by object, the first of them twice."""
    rng = np.random.default_rng(0)
    rows = []
    for program in range(10):
        for name, mean in [next(iter(seconds.items())), *seconds.items()]:
            times = mean * np.exp(noise * rng.normal(size=ROUNDS))
            rows.append(
                {
                    "program": f"set/{program}",
                    "program_sha256": str(program),
                    "profiled": False,
                    "machine": "a machine",
                    "input": "[]",
                    "task": "inlining",
                    "object_sha256": f"{program} {name}",
                    "times": times.tolist(),
                    "objective.right": mean,
                    "objective.wrong": -mean,
                    "objective.same": 1.0,
                }
            )
    return Builds(pd.DataFrame(rows))


def test_pairs_are_of_different_builds_of_a_program() -> None:
    builds = table({"a": 1.0, "b": 1.5, "c": 1.51})
    pairs, equal = builds.pairs(), builds.equal_pairs()
    # Among a, a, b and c there are two pairs with each a, and b with c.
    assert (len(pairs), len(equal)) == (10 * 5, 10)
    programs = builds.table["program"].to_numpy()
    assert (programs[pairs.first] == programs[pairs.second]).all()
    time = builds.objective("right")
    expected = np.log(time[pairs.first] / time[pairs.second])
    np.testing.assert_allclose(pairs.differences, expected, atol=0.03)


def test_noise_is_what_equal_builds_differ_by() -> None:
    for noise in (0.001, 0.02):
        builds = table({"a": 1.0, "b": 1.5}, noise)
        equal = builds.equal_pairs()
        assert 0.5 <= (np.abs(equal.differences) < equal.noise).mean() <= 1
        # The median of 7 differences of two normals.
        one = noise * np.sqrt(2) * 1.2533 / np.sqrt(ROUNDS)
        assert one < np.median(equal.noise) < 4 * one


def test_agreement_is_the_share_of_signs() -> None:
    builds = table({"a": 1.0, "b": 1.5, "c": 3.0})
    right = agreement(builds, builds.objective("right"))
    assert (right.share, right.low, right.high) == (1, 1, 1)
    assert right.correlation > 0.9
    assert right.by_task == {"inlining": 1}
    wrong = agreement(builds, builds.objective("wrong"))
    assert wrong.share == 0
    assert wrong.correlation < -0.9
    assert agreement(builds, builds.objective("same")).share == 0
    nothing = agreement(builds, np.full(len(builds), np.nan))
    assert np.isnan(nothing.share)
    assert counts_by_size(builds.pairs())[-1] == len(builds.pairs())


def test_what_is_within_the_noise_is_not_judged() -> None:
    builds = table({"a": 1.0, "b": 1.0001})
    assert np.isnan(agreement(builds, builds.objective("wrong")).share)


def test_failed_rounds_do_not_count() -> None:
    builds = table({"a": 1.0, "b": 1.5})
    broken = builds.table.copy()
    broken.at[2, "times"] = [float("nan")] * ROUNDS
    assert len(Builds(broken).pairs()) == len(builds.pairs()) - 2


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no builds"):
        Builds.load(tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"something else")
    with pytest.raises(TrainingError, match="cannot read builds"):
        Builds.load(tmp_path)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(TrainingError, match="no column"):
        Builds.load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"recipes": ("nothing",)}, "unknown recipe"),
        ({"level": "O3"}, "level is one of"),
        ({"rounds": 2}, "3 rounds"),
    ],
)
def test_what_cannot_be_collected(settings: dict[str, object], match: str) -> None:
    with pytest.raises(TrainingError, match=match):
        Collecting(**settings)  # type: ignore[arg-type]


def test_builds_are_made_measured_and_kept(tmp_path: Path) -> None:
    how = Collecting(recipes=("inlining",), rounds=3, longest=0.02)
    programs = list(load_programs("kernels/lz"))
    builds = collect(how, programs, tmp_path)
    rows = builds.table
    # LLVM's own build is there twice, every other object once.
    assert rows["object_sha256"][0] == rows["object_sha256"][1]
    assert rows["rate"][0] == 0
    assert 2 < len(rows) <= len(RECIPES["inlining"].rates) + 2
    assert rows["object_sha256"].nunique() == len(rows) - 1
    for times in rows["times"]:
        assert len(times) == 3
        assert np.nanmax(times) < 1
    last = Trajectory.from_json(rows["trajectory"].iloc[-1])
    code = replay(last).object_code
    assert hashlib.sha256(code).hexdigest() == rows["object_sha256"].iloc[-1]
    assert builds.features("code_costs").shape[0] == len(rows)
    assert (builds.objective("text_size") > 0).all()

    (file,) = tmp_path.iterdir()
    before = os.stat(file).st_mtime_ns
    again = collect(how, programs, tmp_path)
    assert os.stat(file).st_mtime_ns == before
    pd.testing.assert_frame_equal(again.table, rows)


def test_why_there_are_no_builds_is_said(tmp_path: Path) -> None:
    program = Program("of/test", load_programs("kernels/lz")[0].bitcode, (("-1", "x"),))
    how = Collecting(recipes=("eviction",), rounds=3, longest=1e-6)
    with pytest.raises(TrainingError, match=r"last that was tried: of/test has no inp"):
        collect(how, [program], tmp_path)


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    done = cli(
        "collect", "--programs", "kernels/lz", "--recipe", "eviction", "--rounds", "3",
        "--profiled", "--counted", "--folder", str(tmp_path / "parts"),
        "-o", str(tmp_path / "all.parquet"),
    )  # fmt: skip
    assert "builds of 1 programs" in done.stdout
    builds = Builds.load(tmp_path / "all.parquet")
    assert (builds.objective("profiled_cycles") > 0).all()
    assert (builds.table["instructions"] > 1e6).all()
