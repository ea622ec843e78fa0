# SPDX-License-Identifier: Apache-2.0
"""Policies by name mean the same in every task, and are said by the task itself."""

from pathlib import Path
from typing import Any

import pytest
from support.regalloc import EVICTION
from support.tasks import ALL, make_task

from mlcompiler_gym import EvaluationError, PortablePolicy
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2


def play(env_id: str, policy: str, **settings: Any) -> dict[str, Any]:
    player = Player(Evaluation(env_id, policy, settings))
    [program] = make_task(env_id).setup.programs
    try:
        return player.play(program, seed=0).record
    finally:
        player.close()


@pytest.mark.parametrize("env_id", ALL)
def test_llvm_is_what_all_are_compared_with(env_id: str) -> None:
    """Where LLVM decides what is asked, which the task says itself."""
    if not make_task(env_id).setup.spec.HasField("heuristic"):
        with pytest.raises(EvaluationError, match="no heuristic of LLVM's"):
            play(env_id, "llvm")
        return
    record = play(env_id, "llvm")
    assert record["objective"] is not None
    assert record["objective"] == record["baseline"]
    # It is the measure of all others, or all that there is to gain where the measure is
    # to begin with nothing optimised.
    kind = make_task(env_id).setup.spec.kind
    worth = 1.0 if kind == pb.TaskSpec.OPEN_ENDED else 0.0
    assert record["reward"] == pytest.approx(worth)


@pytest.mark.parametrize("env_id", ALL)
@pytest.mark.parametrize("policy", ["never", "always", "random"])
def test_the_others_go_through_in_every_task(env_id: str, policy: str) -> None:
    """Where the task has such an action, which it says itself."""
    spec = make_task(env_id).setup.spec
    field = {"never": "inactive_action", "always": "active_action"}.get(policy)
    if field is not None and not spec.HasField(field):
        with pytest.raises(EvaluationError, match="no action that"):
            play(env_id, policy)
        return
    record = play(env_id, policy)
    assert record["error"] is None
    assert record["steps"] > 0
    assert record["objective"] is not None


@pytest.mark.parametrize("agents", [1, 2])
def test_never_and_always_split(agents: int) -> None:
    never, always = (
        play("mlcompiler/LoopDistribution-v0", policy, agents=agents)
        for policy in ("never", "always")
    )
    assert never["objective"] is not None
    assert never["objective"] == never["baseline"]
    assert never["reward"] == 0
    assert always["objective"] != never["objective"]


def test_llvm_needs_the_pipelines_that_it_runs() -> None:
    with pytest.raises(EvaluationError, match=r"actions='default<Oz>'"):
        play("mlcompiler/PassOrdering-v0", "llvm", actions="poset-odg34")


@pytest.mark.parametrize(
    ("env_id", "policy", "settings", "message"),
    [
        (
            "PassOrdering",
            "reference",
            {"actions": "llvm22"},
            "needs actions='.*llvm22'",
        ),
        (
            "PassOrdering",
            "reference",
            {"actions": ["gvn"]},
            r"made with actions=\['gvn'",
        ),
        ("Inlining", "reference", {"linkage": False}, "linkage=True.*linkage=False"),
        ("Inlining", "llvm", {"inlining_default": False}, "Leave inlining_default out"),
    ],
)
def test_settings_that_a_policy_cannot_decide_by_are_refused(
    env_id: str, policy: str, settings: dict[str, Any], message: str
) -> None:
    """Actions of another list mean something else."""
    with pytest.raises(EvaluationError, match=message):
        play(f"mlcompiler/{env_id}-v0", policy, **settings)


def test_no_policy_of_that_name_for_a_task() -> None:
    with pytest.raises(EvaluationError, match="no action that does nothing"):
        play("mlcompiler/RegAllocPriority-v0", "never")


def test_inlines_last_uses() -> None:
    llvm, rule = (play("mlcompiler/Inlining-v0", p) for p in ("llvm", "last_use"))
    assert rule["objective"] is not None
    assert rule["trajectory"]["config"]["options"]["linkage"] == "true"
    assert llvm["baseline"] == rule["baseline"]


@pytest.mark.parametrize("name", ["inactive", "random", "last_use"])
def test_files_are_played_like_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.policy"
    PortablePolicy.named(name, "inlining").save(path)
    ours, theirs = (
        play("mlcompiler/Inlining-v0", policy) for policy in (str(path), name)
    )
    assert ours["objective"] is not None
    assert ours["trajectory"] == theirs["trajectory"]


def test_a_policy_of_a_file_is_given_the_features_that_it_needs(tmp_path: Path) -> None:
    message = policy_pb2.Policy(task="inlining")
    message.options.add(name="inlining_default", value="true")
    message.model.inputs.add(feature="inlining_default", elements=1)
    layer = message.model.network.layers.add(outputs=1, weights=[2], biases=[-1])
    assert layer.activation == policy_pb2.Dense.IDENTITY
    message.model.bernoulli.SetInParent()
    path = tmp_path / "repeats.policy"
    PortablePolicy(message).save(path)
    record = play("mlcompiler/Inlining-v0", str(path), observation="dict")
    assert record["objective"] is not None
    assert record["objective"] == record["baseline"]


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("loop_distribution", {}, "decides loop_distribution, and the environment"),
        ("inlining", {"moon": "true"}, "inlining has no option 'moon'"),
    ],
)
def test_a_policy_of_a_file_is_for_its_task(
    tmp_path: Path, task: str, options: dict[str, str], message: str
) -> None:
    policy = policy_pb2.Policy(task=task, builtin="inactive")
    for name, value in options.items():
        policy.options.add(name=name, value=value)
    path = tmp_path / "other.policy"
    PortablePolicy(policy).save(path)
    with pytest.raises(EvaluationError, match=message):
        play("mlcompiler/Inlining-v0", str(path))


def test_a_policy_of_a_file_that_observes_the_program_is_shown_it(
    tmp_path: Path,
) -> None:
    message = policy_pb2.Policy(task="inlining")
    message.model.inputs.add(feature="autophase", elements=56)
    message.model.network.layers.add(outputs=1, weights=[0] * 56, biases=[-1])
    message.model.bernoulli.SetInParent()
    path = tmp_path / "sees.policy"
    PortablePolicy(message).save(path)
    seeing = play("mlcompiler/Inlining-v0", str(path), observation="dict")
    never = play("mlcompiler/Inlining-v0", "never")
    assert seeing["trajectory"]["config"]["observations"] == ["autophase"]
    assert seeing["trajectory"]["actions"] == never["trajectory"]["actions"]


def test_a_policy_file_that_is_broken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"cannot read.*none\.policy"):
        play("mlcompiler/Inlining-v0", str(tmp_path / "none.policy"))


def test_best_of_so_many_shows_what_it_decides_from() -> None:
    named = play(EVICTION, "best_of_2")
    assert named["error"] is None
    assert named["objective"]["regalloc_score"] <= named["baseline"]["regalloc_score"]
    assert named["search"]["compiles"] >= 4
    assert named["search"]["seconds"] > 0
    made = play(
        EVICTION,
        "mlcompiler_gym.policies.sampled:best_of_2",
        eviction_default=True,
        interference_weights=False,
    )
    assert made["trajectory"]["actions"] == named["trajectory"]["actions"]
    single = play(EVICTION, "reference")
    assert single["trajectory"]["actions"] != named["trajectory"]["actions"]


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("mlcompiler/Inlining-v0", "inlining does not decide function by function"),
        ("mlcompiler/PassOrdering-v0", "does not decide function by function"),
        ("mlcompiler/RegAlloc-v0", "there is no reference policy for"),
    ],
)
def test_best_of_so_many_is_for_tasks_that_can(env_id: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        play(env_id, "best_of_2")
