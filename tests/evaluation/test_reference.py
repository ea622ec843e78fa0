# SPDX-License-Identifier: Apache-2.0
"""The policy that comes with the package, wherever policies are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from mlcompiler_gym import EvaluationError, PolicyError, PortablePolicy
from mlcompiler_gym.building.policies import BuildPolicy
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.naming import portable_policy
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.policies import reference, settings_for
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.reference import read_reference

INLINING = "mlcompiler/Inlining-v0"
PROGRAM = "kernels/vm"


def play(policy: str) -> dict[str, Any]:
    player = Player(Evaluation(INLINING, policy))
    try:
        [program] = load_programs(PROGRAM)
        return player.play(program, seed=0).record
    finally:
        player.close()


def test_it_is_the_same_policy_everywhere(tmp_path: Path) -> None:
    content = read_reference("inlining")
    path = tmp_path / "same.policy"
    path.write_bytes(content)
    by_file, by_name = play(str(path)), play("reference")
    assert by_name["objective"] == by_file["objective"] is not None
    assert by_name["trajectory"] == by_file["trajectory"]
    plain = gym.make(INLINING, programs=PROGRAM)
    shown = gym.make(INLINING, programs=PROGRAM, **settings_for(plain, "reference"))
    env: Any = shown.unwrapped
    assert reference(env).to_bytes() == content
    env.reset(seed=0)
    made = env.rollout("reference")
    assert made.actions.tolist() == by_file["trajectory"]["actions"]
    assert BuildPolicy.find("reference").content == content
    assert BuildPolicy.find("inlining=reference").message.task == "inlining"
    assert portable_policy("reference").to_bytes() == content
    plain.close()
    shown.close()


def test_it_says_how_it_was_made() -> None:
    card = PortablePolicy.from_bytes(read_reference("inlining")).card
    assert card.command.startswith("mlcompiler-gym train mlcompiler/Inlining-v0")
    assert card.programs
    assert card.results
    assert card.seen


def test_a_task_without_one() -> None:
    why = "no reference policy for regalloc_eviction; there are some for: "
    env: Any = gym.make("mlcompiler/RegAllocEviction-v0", programs="kernels/lz")
    with pytest.raises(PolicyError, match=why):
        settings_for(env, "reference")
    with pytest.raises(PolicyError, match=why):
        BuildPolicy.find("regalloc_eviction=reference")
    with pytest.raises(EvaluationError, match=why):
        portable_policy("regalloc_eviction=reference")
    env.unwrapped.reset(seed=0)
    with pytest.raises(PolicyError, match=why):
        env.unwrapped.rollout("reference")
    env.close()
