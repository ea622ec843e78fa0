# SPDX-License-Identifier: Apache-2.0
"""Many pass orderings at once: the same as one by one, truncation included."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from support.pass_ordering import FEW, LOOP, ORDERING
from support.vectors import chain
from test_vector import assert_same

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv, make_vector

PROGRAMS = [LOOP, chain(3), chain(6)]
LIMIT = 5


@pytest.fixture
def made() -> Iterator[list[Any]]:
    """What is closed after the test."""
    made: list[Any] = []
    yield made
    for each in made:
        each.close()


def one_by_one(limit: int, **settings: Any) -> gymnasium.Env[Any, Any]:
    return TimeLimit(PassOrderingEnv(**settings), limit)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"observation": "dict", "reward": "poset-rl"},
        {"repeats": False},
        {"actions": [*FEW, "trigger-crash-function"]},
    ],
    ids=["plain", "dict", "mask", "crashes"],
)
def test_equals_gymnasiums_vector_environment(
    service: LocalService, made: list[Any], mode: AutoresetMode, extra: dict[str, Any]
) -> None:
    settings = {"programs": PROGRAMS, "service": service, "actions": FEW, **extra}
    ours = gymnasium.make_vec(
        ORDERING, 4, autoreset_mode=mode, max_episode_steps=LIMIT, **settings
    )
    assert isinstance(ours, CompilerVectorEnv)
    theirs = SyncVectorEnv(
        [lambda: one_by_one(LIMIT, **settings)] * 4, autoreset_mode=mode
    )
    made += [ours, theirs]
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_same(ours.reset(seed=5), theirs.reset(seed=5))
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(4 * LIMIT):
        masks = ours.action_masks()
        # The last action, a crash, not too often.
        actions = [int(rng.choice(np.flatnonzero(mask)[: len(FEW)])) for mask in masks]
        if rng.random() < 0.2 and len(masks[0]) > len(FEW):
            actions[1] = len(FEW)
        mine = ours.step(actions)
        assert_same(mine, theirs.step(np.array(actions)))
        assert not mine[2].any()
        endings += int(mine[3].sum())
        if mode == AutoresetMode.DISABLED and mine[3].any():
            options = {"reset_mask": mine[3].copy()}
            assert_same(
                ours.reset(options=dict(options)), theirs.reset(options=options)
            )
    assert endings >= 8


def test_truncation_by_default(service: LocalService, made: list[Any]) -> None:
    envs = gymnasium.make_vec(ORDERING, 2, programs=LOOP, service=service, actions=FEW)
    made.append(envs)
    envs.reset(seed=0)
    for number in range(1, 51):
        *_, truncated, _ = envs.step([number % len(FEW)] * 2)
        assert truncated.tolist() == [number == 50] * 2


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_equals_a_single_environment(
    service: LocalService, made: list[Any], mode: AutoresetMode
) -> None:
    settings: dict[str, Any] = {"programs": LOOP, "service": service}
    envs = gymnasium.make_vec(
        ORDERING, 2, autoreset_mode=mode, max_episode_steps=3, **settings
    )
    one = gymnasium.make(ORDERING, max_episode_steps=3, **settings)
    made += [envs, one]
    envs.reset(seed=0)
    one.reset(seed=0)
    for action in (7, 90, 41):
        observations, rewards, _, truncated, infos = envs.step([action, action])
        observation, reward, _, its_truncated, info = one.step(action)
        assert rewards.tolist() == [reward] * 2
        assert truncated.tolist() == [its_truncated] * 2
        final = its_truncated and mode == AutoresetMode.SAME_STEP
        rows = infos["final_obs"] if final else observations
        for row in rows:
            np.testing.assert_array_equal(row, observation)
        found = infos["final_info"] if final else infos
        assert found["no_effect"].tolist() == [info["no_effect"]] * 2


@pytest.mark.parametrize("make", [partial(gymnasium.make_vec, ORDERING), make_vector])
def test_episodes_are_as_long_as_the_task_says(
    service: LocalService, made: list[Any], make: Callable[..., CompilerVectorEnv]
) -> None:
    envs = make(
        num_envs=2,
        programs=LOOP,
        actions=FEW,
        service=service,
        autoreset_mode=AutoresetMode.DISABLED,
    )
    made.append(envs)
    envs.reset(seed=0)
    limit = gymnasium.spec(ORDERING).max_episode_steps
    assert limit == 50
    for step in range(1, limit + 1):
        truncated = envs.step(np.array([0, 1]))[3]
        assert truncated.tolist() == [step == limit] * 2
