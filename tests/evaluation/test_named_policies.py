# SPDX-License-Identifier: Apache-2.0
"""Policies by name mean the same in every task, and are said by the task itself."""

from typing import Any

import pytest

from mlcompiler_gym import EvaluationError, load_programs
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.registration import TASKS

#: Of each task, what LLVM by itself is worth: the measure of all others, or all that
#: there is to gain where the measure is to begin with nothing optimised.
WORTH = {task.env_id: 0.0 for task in TASKS} | {"mlcompiler/PassOrdering-v0": 1.0}


def play(env_id: str, policy: str, **settings: Any) -> dict[str, Any]:
    player = Player(Evaluation(env_id, policy, settings))
    loops = env_id == "mlcompiler/LoopDistribution-v0"
    name = "loops/split_diamond" if loops else "kernels/lz"
    [program] = load_programs(name, level="O2")
    try:
        return player.play(program, seed=0).record
    finally:
        player.close()


@pytest.mark.parametrize("env_id", WORTH)
def test_llvm_is_what_all_are_compared_with(env_id: str) -> None:
    record = play(env_id, "llvm")
    assert record["objective"] is not None
    assert record["objective"] == record["baseline"]
    assert record["reward"] == pytest.approx(WORTH[env_id])


@pytest.mark.parametrize("agents", [1, 2])
def test_never_and_always_distribute(agents: int) -> None:
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


def test_no_policy_of_that_name_for_a_task() -> None:
    with pytest.raises(EvaluationError, match="no action that does nothing"):
        play("mlcompiler/RegAllocPriority-v0", "never")
