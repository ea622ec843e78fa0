# SPDX-License-Identifier: Apache-2.0
"""The policy that comes with the package, wherever policies are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mlcompiler_gym import EvaluationError, PolicyError, PortablePolicy
from mlcompiler_gym.building.policies import BuildPolicy
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.naming import portable_policy
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.policies import play as play_in
from mlcompiler_gym.policies import reference, settings_for
from mlcompiler_gym.policies.sampled import best_of
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


@pytest.mark.parametrize("target", [None, "aarch64-linux-gnu"])
def test_evictions_have_one(target: str | None) -> None:
    content = read_reference("regalloc_eviction")
    settings: dict[str, Any] = {"programs": "kernels/lz", "target": target}
    env: Any = gym.make("mlcompiler/RegAllocEviction-v0", **settings)
    shown: Any = gym.make(
        "mlcompiler/RegAllocEviction-v0", **settings, **settings_for(env, "reference")
    )
    assert reference(shown).to_bytes() == content
    assert BuildPolicy.find("regalloc_eviction=reference").content == content
    assert portable_policy("regalloc_eviction=reference").to_bytes() == content
    shown.unwrapped.reset(seed=0)
    made = shown.unwrapped.rollout("reference")
    assert made.terminated
    assert len(made.actions) > 0
    if target is None:
        # It decides otherwise than LLVM now and then.
        shown.unwrapped.reset(seed=0)
        theirs = shown.unwrapped.rollout("llvm").actions
        assert made.actions.tolist() != theirs.tolist()
    env.close()
    shown.close()


@pytest.mark.parametrize(
    ("task", "env_id"),
    [
        ("inlining", "mlcompiler/Inlining-v0"),
        ("regalloc_eviction", "mlcompiler/RegAllocEviction-v0"),
        ("regalloc_priority", "mlcompiler/RegAllocPriority-v0"),
        ("loop_distribution", "mlcompiler/LoopDistribution-v0"),
    ],
)
def test_it_says_how_it_was_made(task: str, env_id: str) -> None:
    card = PortablePolicy.from_bytes(read_reference(task)).card
    assert card.command.startswith(f"mlcompiler-gym train {env_id}")
    assert card.programs
    assert card.results


def test_an_order_of_allocation_can_be_drawn() -> None:
    """Drawn priorities are no choices, but numbers."""
    env: Any = gym.make(
        "mlcompiler/RegAllocPriority-v0",
        programs="kernels/align",
        priority_default=True,
    )
    best = best_of(env, 0, samples=4)
    assert play_in(env, best, seed=0).reward >= 0
    drawn = env.unwrapped.trajectory.actions
    env.unwrapped.reset(seed=0)
    likeliest = env.unwrapped.rollout("reference").actions
    assert len(drawn) > 0
    assert np.ravel(drawn).tolist() != np.ravel(likeliest).tolist()
    env.close()


def test_it_says_what_its_inputs_were() -> None:
    assert PortablePolicy.from_bytes(read_reference("inlining")).card.seen


def test_a_task_without_one() -> None:
    why = "no reference policy for loop_factors; there are some for: "
    env: Any = gym.make("mlcompiler/LoopFactors-v0", programs="loops")
    with pytest.raises(PolicyError, match=why):
        settings_for(env, "reference")
    with pytest.raises(PolicyError, match=why):
        BuildPolicy.find("loop_factors=reference")
    with pytest.raises(EvaluationError, match=why):
        portable_policy("loop_factors=reference")
    env.unwrapped.reset(seed=0)
    with pytest.raises(PolicyError, match=why):
        env.unwrapped.rollout("reference")
    env.close()


def test_a_name_may_say_its_task() -> None:
    named = PortablePolicy.named("always", "inlining")
    assert play("inlining=always")["trajectory"] == play("always")["trajectory"]
    assert portable_policy("inlining=always").to_bytes() == named.to_bytes()
    with pytest.raises(EvaluationError, match="no policy 'inlining=clever'"):
        portable_policy("inlining=clever")
