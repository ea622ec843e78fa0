# SPDX-License-Identifier: Apache-2.0
"""LLVM's own number, and what is learned to add to it."""

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
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.training import Assignment, CoordinatesSettings, ESSettings
from mlcompiler_gym.training.arena import Arena
from mlcompiler_gym.training.coordinates import train_coordinates
from mlcompiler_gym.training.evolve import train_es
from mlcompiler_gym.training.number_network import NumberNetwork

PRIORITY = "mlcompiler/RegAllocPriority-v0"
NAMES = ["kernels/align", "kernels/btree", "kernels/basic"]
LLVMS = 3  # Where priority_default is.
SMALL = ESSettings(rounds=1, generations=1, population=5, programs=8, deviation=1.0)


@pytest.fixture(scope="module")
def compilers() -> Iterator[CompilerVectorEnv]:
    envs = gym.make_vec(PRIORITY, 1, programs=NAMES, priority_default=True)
    yield envs  # type: ignore[misc]
    envs.close()


@pytest.mark.parametrize("hidden", [0, 3])
def test_begins_as_llvm(compilers: CompilerVectorEnv, hidden: int) -> None:
    made = compilers.rollouts("llvm", NAMES, features=True)
    network = NumberNetwork(compilers, made, hidden, seed=0)
    policy = network.policy(network.start)
    for each in made:
        assert each.features is not None
        decided = policy.decide(each.features, each.masks).actions
        np.testing.assert_array_equal(decided, each.features[:, [LLVMS]])
    again = compilers.rollouts(policy, NAMES)
    assert [each.reward for each in again] == [0.0] * len(NAMES)


@pytest.mark.parametrize("hidden", [0, 3])
def test_adds_what_the_weights_say(compilers: CompilerVectorEnv, hidden: int) -> None:
    """The definition, written again in NumPy, on what each weight does by itself."""
    made = compilers.rollouts("random", NAMES, seed=1, features=True)
    network = NumberNetwork(compilers, made, hidden, seed=0)
    features = np.concatenate([r.features for r in made if r.features is not None])
    logs = np.log1p(np.clip(features[:, :LLVMS].astype(float), 0, 1e30) * 1e4)
    logs = logs.clip(None, 32)
    logs = logs[:, np.ptp(logs, axis=0) > 0]
    far = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    count = far.shape[1]
    units = [*far.T, *-far.T]
    for start in range(2 * count, len(network.start), count + 2):
        into = network.start[start : start + count + 1]
        units.append(far @ into[:-1] + into[-1])
    ends = [*range(2 * count)]
    ends += [2 * count + (count + 2) * (n + 1) - 1 for n in range(hidden)]
    unit = features[:, LLVMS].std()
    for place, value in zip(ends, units, strict=True):
        weights = network.start.copy()
        weights[place] = 0.25
        wanted = features[:, LLVMS] + 0.25 * unit * np.maximum(value, 0)
        [got] = network.policy(weights).outputs(features).T
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * unit)


def test_numbers_of_any_size_have_an_action(compilers: CompilerVectorEnv) -> None:
    made = compilers.rollouts("llvm", NAMES[:1], features=True)
    network = NumberNetwork(compilers, made, 1, seed=0)
    policy = network.policy(network.start + 1)
    features = made[0].features
    assert features is not None
    for value in (np.nan, np.inf, -np.inf, np.float32(3e38)):
        actions = policy.decide(np.full_like(features[:1], value)).actions
        assert compilers.single_action_space.contains(actions[0])


def test_evolves_and_is_the_same_again(tmp_path: Path) -> None:
    programs = list(load_programs(NAMES, level="O2"))
    shown: dict[str, Any] = {"function": "each", "priority_default": True}
    once, twice = (
        train_es(Assignment(PRIORITY, programs, tmp_path / name, shown), SMALL)
        for name in ("once", "twice")
    )
    assert once.policy.to_bytes() == twice.policy.to_bytes()
    assert once.chosen.programs > 1


def test_learns_only_from_what_chance_changes(tmp_path: Path) -> None:
    programs = list(load_programs(NAMES[:2], level="O2"))
    shown: dict[str, Any] = {"function": "each", "priority_default": True}
    assignment = Assignment(PRIORITY, programs, tmp_path, shown)
    arenas = [
        Arena(assignment, programs, replace(SMALL, chance=chance)) for chance in (0, 2)
    ]
    every, some = (arena.cases for arena in arenas)
    assert 0 < len(some) < len(every)
    for arena in arenas:
        arena.close()
    envs: Any = gym.make_vec(PRIORITY, 1, programs=programs, **shown)
    for case in every:
        results = [
            made.info["objective"] == made.info["baseline"]
            for made in envs.rollouts("random", [case], 2, seed=SMALL.seed)
        ]
        assert all(results) == (case not in some)
    envs.close()


def test_llvms_number_must_be_shown(tmp_path: Path) -> None:
    programs = list(load_programs(NAMES, level="O2"))
    with pytest.raises(TrainingError, match="say priority_default=true"):
        train_coordinates(
            Assignment(PRIORITY, programs, tmp_path, {}), CoordinatesSettings(rounds=1)
        )


def test_several_numbers_are_refused(tmp_path: Path) -> None:
    programs = list(load_programs(NAMES))
    with pytest.raises(TrainingError, match="one choice of several, or one number"):
        train_es(Assignment("mlcompiler/Parameters-v0", programs, tmp_path, {}), SMALL)
