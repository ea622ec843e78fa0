# SPDX-License-Identifier: Apache-2.0
"""What is remembered is told apart by everything that it depends on."""

import dataclasses
from typing import Any

import pytest
from support.regalloc import PRIORITY, MakeEnv

from mlcompiler_gym import Program, Trajectory
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.scoring import baseline_key

CONFIG = CompileConfig(task="inlining", pipeline="default<Oz>")
PROGRAM = Program("p", b"define i32 @f() {\n  ret i32 1\n}\n")
OTHER = Program("p", b"define i32 @f() {\n  ret i32 2\n}\n")

#: `leaf` goes where functions are inlined.
INLINED = Program(
    "inlined",
    b"""
define internal i32 @leaf(i32 %x, i32 %y) {
  %z = sdiv i32 %x, %y
  ret i32 %z
}
define i32 @entry(i32 %x, i32 %y) {
  %z = call i32 @leaf(i32 %x, i32 %y)
  ret i32 %z
}
""",
)


@pytest.mark.parametrize(
    "changed",
    [
        {"pipeline": "default<O2>"},
        {"baseline_pipeline": "default<O3>"},
        {"target": "aarch64-unknown-linux-gnu"},
        {"cpu": "skylake"},
        {"function": "f"},
        {"objectives": ("text_size",)},
        {"measured": ("wall_time",)},
    ],
    ids=repr,
)
def test_a_baseline_depends_on_it(changed: dict[str, Any]) -> None:
    other = dataclasses.replace(CONFIG, **changed)
    assert baseline_key(other, PROGRAM) != baseline_key(CONFIG, PROGRAM)


def test_a_baseline_depends_on_what_a_program_is_and_not_on_its_name() -> None:
    renamed = Program("renamed", PROGRAM.bitcode)
    assert baseline_key(CONFIG, renamed) == baseline_key(CONFIG, PROGRAM)
    assert baseline_key(CONFIG, OTHER) != baseline_key(CONFIG, PROGRAM)


def test_baselines_of_cpus_are_not_taken_for_each_other(make_env: MakeEnv) -> None:
    # One instruction of x86-64-v2, and many without it.
    count = Program(
        "count",
        b"declare i32 @llvm.ctpop.i32(i32)\n"
        b"define i32 @f(i32 %x) {\n"
        b"  %n = call i32 @llvm.ctpop.i32(i32 %x)\n  ret i32 %n\n}\n",
    )
    values = {}
    for cpu in ("x86-64", "x86-64-v2"):
        env = make_env(PRIORITY, programs=count, cpu=cpu, objective="text_size")
        env.reset(seed=0)
        values[cpu] = env.baseline["text_size"]
    assert values["x86-64-v2"] < values["x86-64"]


@pytest.mark.parametrize("first", ["default<O0>", "default<O2>"])
def test_functions_depend_on_the_pipeline(make_env: MakeEnv, first: str) -> None:
    found = {}
    for pipeline in (first, "default<O0>", "default<O2>"):
        env = make_env(PRIORITY, programs=INLINED, pipeline=pipeline)
        found[pipeline] = functions_with_decisions(env.setup, INLINED)
    assert sorted(found["default<O0>"]) == ["entry", "leaf"]
    assert found["default<O2>"] == ["entry"]


def test_a_trajectory_has_all_settings(make_env: MakeEnv) -> None:
    settings = {
        "pipeline": "default<O1>",
        "level": "O2",
        "target": "x86_64-unknown-linux-gnu",
        "cpu": "x86-64-v3",
        "function": "entry",
    }
    env = make_env(PRIORITY, programs=INLINED, deadline=12.5, **settings)
    env.reset(seed=0)
    for read in (env.trajectory, Trajectory.from_json(env.trajectory.to_json())):
        config = dataclasses.asdict(read.config)
        assert {name: config[name] for name in settings} == settings
        assert config["deadline_ms"] == 12_500
        assert config["objectives"] == ("regalloc_score",)
        assert read.program_sha256 == INLINED.sha256.hex()
