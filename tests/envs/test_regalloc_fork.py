# SPDX-License-Identifier: Apache-2.0
"""Allocations that are copied, parked and repeated."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.regalloc import (
    EVICTION,
    IDS,
    TARGETS,
    TWO,
    MakeEnv,
    check_ends_as_replayed,
    heuristic_feature,
    legal_at_random,
    legal_from,
    two,
)
from support.strategies import examples
from support.toolchain import finish, play

from mlcompiler_gym import LocalService, Trajectory, replay
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.errors import TrajectoryError

NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=20)


@pytest.mark.parametrize("env_id", IDS)
@examples(6)
@given(
    prefix=st.integers(0, 120),
    one=NUMBERS,
    other=NUMBERS,
    target=st.sampled_from(TARGETS),
)
def test_fork_equals_replay(
    make_env: MakeEnv,
    env_id: str,
    prefix: int,
    one: list[int],
    other: list[int],
    target: str,
) -> None:
    env = make_env(env_id, programs=two(target), target=target)
    env.reset()
    choose = legal_from(env, one)
    if any(env.step(choose(None))[2] for _ in range(prefix)):
        env.close()
        return
    twin = env.fork()
    # Taking turns, so that neither can lean on what the other leaves behind.
    going = {env: choose, twin: legal_from(twin, other)}
    while going:
        for each in list(going):
            if each.step(going[each](None))[2]:
                del going[each]
    for each in (env, twin):
        check_ends_as_replayed(each)
        each.close()


@pytest.mark.parametrize("env_id", IDS)
def test_twins_part_in_the_middle_of_a_function(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id, programs="kernels/lz", render_mode="ansi")
    env.reset()
    choose = legal_at_random(env, 0)
    for _ in range(40):
        env.step(choose(None))
    twin = env.fork()
    names = ("decision", "decisions", "mir", "ir")
    assert twin.observe(*names) == env.observe(*names)
    assert twin.render() == env.render()
    if env_id == EVICTION:
        np.testing.assert_array_equal(twin.action_masks(), env.action_masks())
    for seed, each in enumerate((env, twin)):
        finish(each, legal_at_random(each, seed + 10))
        check_ends_as_replayed(each)
    assert twin.emit("object") != env.emit("object")
    twin.close()


@pytest.mark.parametrize("env_id", IDS)
def test_resets_are_forks_of_a_parked_session(make_env: MakeEnv, env_id: str) -> None:
    settings: dict[str, Any] = {"programs": "kernels/json", **heuristic_feature(env_id)}
    env = make_env(env_id, **settings)
    objects = set()
    for episode in range(4):
        play(env, legal_at_random(env, episode % 2))
        objects.add(env.emit("object"))
    assert env.stats.parked == 3
    assert len(objects) == 2
    # Another function is another compile.
    alone = make_env(env_id, function="each", **settings)
    for _ in range(30):
        alone.reset()
    functions = functions_with_decisions(alone.setup, alone.setup.programs[0])
    assert alone.stats.parked >= 30 - len(functions)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_trajectory_in_a_file(
    make_env: MakeEnv, env_id: str, target: str, tmp_path: Path
) -> None:
    env = make_env(
        env_id, programs="kernels/lz", target=target, **heuristic_feature(env_id)
    )
    play(env, legal_at_random(env, 3))
    env.trajectory.save(tmp_path / "lz.json")
    loaded = Trajectory.load(tmp_path / "lz.json")
    assert loaded == env.trajectory
    kinds = {type(action) for action in loaded.actions}
    assert kinds == {int if env_id == EVICTION else float}
    # Found by its name, on another service, as another user would.
    other = LocalService()
    try:
        replayed = replay(loaded, service=other)
    finally:
        other.close()
    same = replayed.object_code == env.emit("object")
    assert same
    assert replayed.values == env.measure()


@pytest.mark.parametrize("env_id", IDS)
def test_a_trajectory_that_is_not_legal(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id, programs=TWO)
    play(env, legal_at_random(env, 3))
    service = env.setup.service
    actions = env.trajectory.actions
    wrong = 25 if env_id == EVICTION else float("nan")
    for changed in (
        (*actions[:7], wrong, *actions[8:]),
        actions[:-1],
        (*actions, actions[0]),
    ):
        trajectory = dataclasses.replace(env.trajectory, actions=changed)
        with pytest.raises(TrajectoryError):
            replay(trajectory, TWO, service=service)
