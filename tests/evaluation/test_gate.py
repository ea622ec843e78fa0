# SPDX-License-Identifier: Apache-2.0
"""Policies inside the compiler are compared with others, and held to budgets."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.policies import inlines_what_is_cheap

from mlcompiler_gym import EvaluationError, InliningEnv, PortablePolicy, load_programs
from mlcompiler_gym.evaluation import Record
from mlcompiler_gym.evaluation.deployment import POLICY_FAILED, Deployment
from mlcompiler_gym.evaluation.gate import (
    Budgets,
    Trial,
    Unit,
    as_json,
    as_junit,
    judge,
)
from mlcompiler_gym.v1 import policy_pb2 as pb


def play(what: Deployment, program: str) -> Record:
    player = what.make_player()
    try:
        return player.play(load_programs(program)[0], seed=0).record
    finally:
        player.close()


def test_the_values_are_those_of_an_environment(tmp_path: Path) -> None:
    env = InliningEnv(programs="kernels/lz", observation="dict")
    policy = PortablePolicy(inlines_what_is_cheap())
    env.reset()
    made = env.rollout("random", seed=0, features=True)
    assert made.features is not None
    costs = made.features[:, [env.setup.features.names.index("cost_estimate")]]
    policy.with_seen(costs).save(tmp_path / "mine.policy")
    env.reset()
    # Stepped by Python, and told in the session, it decides alike.
    seen = []
    observation, info = env.reset()
    over = False
    while not over:
        seen.append(float(observation["cost_estimate"].item()))
        action = policy(observation, info)
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    record = play(Deployment.of(str(tmp_path / "mine.policy"), {}), "kernels/lz")
    assert record["objective"] == info["objective"]
    assert record["baseline"] == info["baseline"]
    assert record["trajectory"]["actions"] == list(env.trajectory.actions)
    assert record["steps"] == len(seen)
    [histogram] = policy.with_seen(costs).seen
    assert record["seen"] == [histogram.count(np.array(seen, np.float32)).tolist()]
    assert record["seconds"] > 0
    assert record["baseline_seconds"] > 0
    env.close()


@pytest.mark.parametrize(
    ("env_id", "policy", "settings"),
    [
        ("PassOrdering", "random", {"max_episode_steps": 3}),
        ("PassOrdering", "llvm", {}),
        ("RegAllocEviction", "inactive", {"objective": "regalloc_score"}),
    ],
)
def test_every_task_is_played(
    env_id: str, policy: str, settings: dict[str, Any]
) -> None:
    what = Deployment.of(policy, settings, f"mlcompiler/{env_id}-v0")
    record = play(what, "kernels/lz")
    assert record["error"] is None
    assert record["steps"] > 0
    assert record["steps"] == settings.get("max_episode_steps", record["steps"])
    if policy == "llvm":
        assert record["objective"] == record["baseline"]


def test_a_policy_that_cannot_decide_does_not_compile(tmp_path: Path) -> None:
    broken = inlines_what_is_cheap()
    [layer] = broken.model.network.layers
    layer.weights[:] = [3e38]
    PortablePolicy(broken).save(tmp_path / "broken.policy")
    record = play(Deployment.of(str(tmp_path / "broken.policy"), {}), "kernels/lz")
    assert record["error_code"] == POLICY_FAILED
    with pytest.raises(EvaluationError, match="not one of the programs compiles"):
        Trial.of([record])


def test_features_that_are_not_there_are_named(tmp_path: Path) -> None:
    other = inlines_what_is_cheap()
    other.model.inputs[0].feature = "moon_phase"
    PortablePolicy(other).save(tmp_path / "moon.policy")
    with pytest.raises(EvaluationError, match="moon_phase"):
        play(Deployment.of(str(tmp_path / "moon.policy"), {}), "kernels/lz")


def test_a_policy_that_has_changed_is_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.policy"
    PortablePolicy(inlines_what_is_cheap()).save(path)
    before = Deployment.of(str(path), {})
    PortablePolicy(inlines_what_is_cheap(linkage="true")).save(path)
    assert Deployment.of(str(path), {}).identity() != before.identity()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (pb.Policy(builtin="llvm"), "of no task"),
        (pb.Policy(builtin="llvm", task="cooking"), "'cooking'"),
    ],
)
def test_the_environment_is_that_of_the_task(
    policy: pb.Policy, message: str, tmp_path: Path
) -> None:
    PortablePolicy(policy).save(tmp_path / "some.policy")
    with pytest.raises(EvaluationError, match=message):
        Deployment.of(str(tmp_path / "some.policy"), {})


def trial(old: float | None = None, **failed: str) -> Trial:
    """Two packages; ``pypi/a`` has lost on one program what it won on the other."""
    units = (
        Unit("pypi/a/x", 110, old, 100),
        Unit("pypi/a/y", 190, old, 200),
        Unit("pypi/b/z", 103, old, 100),
    )
    return Trial("text_size", units, failed, (1.02, 1.0))


@pytest.mark.parametrize(
    ("budgets", "broken"),
    [
        (Budgets(worst=1.1), []),
        (Budgets(worst=1.09), ["pypi/a/x"]),
        (Budgets(worst=1.02), ["pypi/a/x", "pypi/b/z"]),
        (Budgets(package=1.03), []),
        (Budgets(package=1.02), ["pypi/b"]),
        (Budgets(total=403 / 400), []),
        (Budgets(total=1.007), ["all"]),
        (Budgets(compile_time=1.02), []),
        (Budgets(compile_time=1.01), ["all"]),
        (
            Budgets(1.02, 1.02, 1.0, 1.0),
            ["all", "pypi/b", "all", "pypi/a/x", "pypi/b/z"],
        ),
    ],
)
def test_budgets(budgets: Budgets, broken: list[str]) -> None:
    verdict = judge(trial(), budgets)
    assert [check.name for check in verdict.broken] == broken
    found = as_json(verdict)
    assert found["passed"] == (not broken)
    assert [each["broken"] for each in found["checks"]].count(True) == len(broken)
    suite = ET.fromstring(as_junit(verdict, "gate"))
    assert suite.get("failures") == str(len(broken))
    assert len(suite.findall("testcase")) == int(suite.get("tests", "")) > 0
    assert {case.get("name") for case in suite.findall("testcase[failure]")} == set(
        broken
    )


def test_the_old_policy_is_what_counts() -> None:
    assert judge(trial(old=200), Budgets(worst=1.0)).broken == []
    assert len(judge(trial(old=50), Budgets(worst=1.0)).broken) == 3


def test_a_program_that_does_not_compile_breaks_every_budget() -> None:
    verdict = judge(trial(lost="it crashed"), Budgets(total=2.0))
    [check] = verdict.broken
    assert (check.budget, check.name) == ("compiles", "lost")
    assert b"it crashed" in as_junit(verdict, "gate")
