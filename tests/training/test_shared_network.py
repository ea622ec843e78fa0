# SPDX-License-Identifier: Apache-2.0
"""Scores of actions by the same weights for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import Evaluation, Player
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import Assignment, ESSettings, Trained
from mlcompiler_gym.training.evolve import train_es
from mlcompiler_gym.training.rounds import hold_out
from mlcompiler_gym.training.shared_network import SharedNetwork

EVICTION = "mlcompiler/RegAllocEviction-v0"
NAMES = ["kernels/align", "kernels/btree", "kernels/basic"]
NOTHING = 32
SHOWN: dict[str, Any] = {"eviction_default": True, "interference_weights": True}
SMALL = ESSettings(
    rounds=1, generations=1, population=5, programs=3, prior=1.0, full=True
)

#: The feature with LLVM's own action.
LLVMS = "eviction_default"


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return list(load_programs(NAMES, level="O2"))


@pytest.fixture(scope="module")
def compilers() -> Iterator[CompilerVectorEnv]:
    envs = gym.make_vec(EVICTION, 1, programs=NAMES, observation="flat", **SHOWN)
    yield envs  # type: ignore[misc]
    envs.close()


@pytest.mark.parametrize("hidden", [0, 2])
def test_begins_as_llvm(compilers: CompilerVectorEnv, hidden: int) -> None:
    made = compilers.rollouts("llvm", NAMES, features=True)
    network = SharedNetwork(compilers, made, hidden, LLVMS, 1.0, seed=0)
    policy = network.policy(network.start)
    for each in made:
        assert each.features is not None
        decided = policy.decide(each.features, each.masks).actions
        np.testing.assert_array_equal(decided, each.actions)
    again = compilers.rollouts(policy, NAMES)
    assert [each.reward for each in again] == [0.0] * len(NAMES)


@pytest.mark.parametrize("hidden", [0, 2])
def test_what_holds_for_an_action_holds_for_all(
    compilers: CompilerVectorEnv, hidden: int
) -> None:
    """Registers that change places change scores, and nothing else does."""
    made = compilers.rollouts("random", NAMES, seed=1, features=True)
    network = SharedNetwork(compilers, made, hidden, LLVMS, 1.0, seed=0)
    rng = np.random.default_rng(3)
    weights = network.start + rng.standard_normal(len(network.start))
    # The place in the order, and LLVM's answer, are of one action.
    position, llvm = network.position, network.shown
    weights[position] = weights[llvm] = 0
    policy = network.policy(weights)
    features = np.concatenate([r.features for r in made if r.features is not None])
    order = np.append(rng.permutation(NOTHING), NOTHING)
    places = compilers.setup.features.columns.places
    moved = features.copy()
    moved[:, places] = features[:, places[order]]
    scores, others = policy.outputs(features), policy.outputs(moved)
    assert np.ptp(scores, axis=1).max() > 1
    np.testing.assert_allclose(others, scores[:, order], rtol=0, atol=0.01)
    # With them, it is otherwise.
    weights[position] = 100
    assert np.abs(network.policy(weights).outputs(features) - scores).max() > 1


def test_numbers_of_any_size_have_a_score(compilers: CompilerVectorEnv) -> None:
    made = compilers.rollouts("llvm", NAMES[:1], features=True)
    network = SharedNetwork(compilers, made, 1, LLVMS, 1.0, seed=0)
    policy = network.policy(network.start + 1)
    features = made[0].features
    assert features is not None
    for value in (np.nan, np.inf, -np.inf, np.float32(3e38)):
        # All but LLVM's answer.
        rows = np.full_like(features[:1], value)
        rows[0, 661] = 0
        assert np.isfinite(policy.outputs(rows)).all()


@pytest.mark.parametrize("hidden", [0, 2])
def test_begins_as_a_rule_where_actions_are_of_many_kinds(hidden: int) -> None:
    envs: Any = gym.make_vec(
        "mlcompiler/RegAlloc-v0",
        1,
        programs=NAMES[:1],
        order="weight",
        cheapest_action=True,
    )
    made = envs.rollouts("random", NAMES[:1], seed=0, features=True)
    network = SharedNetwork(envs, made, hidden, "cheapest_action", 1.0, seed=0)
    [again] = envs.rollouts(network.policy(network.start), NAMES[:1], features=True)
    np.testing.assert_array_equal(again.features[:, -1], again.actions)
    assert len(again.actions) > 100
    # Each kind may be preferred by itself: splits at blocks, where they can be made.
    weights = network.start.copy()
    width = (network.shown - network.position - 1) // 3
    weights[network.position + 2 * width] = 100
    [other] = envs.rollouts(network.policy(weights), NAMES[:1], features=True)
    assert (other.actions[other.masks[:, 49] > 0] == 49).all()
    assert (other.actions == 49).any()
    envs.close()


def train(programs: list[Program], folder: Path, **settings: Any) -> Trained:
    shown = {"function": "each", "eviction_default": True}
    return train_es(
        Assignment(EVICTION, programs, folder, shown), replace(SMALL, **settings)
    )


def test_learns_and_is_judged_by_function(
    programs: list[Program], tmp_path: Path
) -> None:
    trained = train(programs, tmp_path / "once")
    assert "CMA-ES" in trained.policy.card.method
    [judged] = hold_out(programs, SMALL)[1]
    path = tmp_path / "it.policy"
    trained.policy.save(path)
    player = Player(Evaluation(EVICTION, str(path), {"function": "each"}))
    record = player.play(judged, 0).record
    player.close()
    functions = record["functions"]
    assert trained.chosen.programs == len(functions) > 1
    ratios = [
        each["objective"]["regalloc_score"] / each["baseline"]["regalloc_score"]
        for each in functions
    ]
    assert trained.chosen.ratio == pytest.approx(np.exp(np.mean(np.log(ratios))))
    assert trained.chosen.worst == pytest.approx(max(ratios))
    again = train(programs, tmp_path / "twice")
    assert again.policy.to_bytes() == trained.policy.to_bytes()


def test_a_clip_bounds_what_one_program_counts(
    programs: list[Program], tmp_path: Path
) -> None:
    """With nothing to choose by, another policy comes out."""
    found = train(programs, tmp_path, deviation=3.0).policy
    blind = train(programs, tmp_path, deviation=3.0, clip=0.0).policy
    assert found.to_bytes() != blind.to_bytes()


def test_what_to_begin_with_must_be_shown(
    programs: list[Program], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="does not show 'basic_action'"):
        train(programs, tmp_path, begin="basic_action")
