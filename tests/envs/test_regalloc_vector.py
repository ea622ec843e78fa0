# SPDX-License-Identifier: Apache-2.0
"""Many allocations at once: the same as one by one, masks included."""

import os
import select
import signal
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from support.regalloc import (
    EMPTY,
    EVICTION,
    IDS,
    NOTHING,
    PRIORITY,
    TWO,
    MakeEnv,
    ir,
    pressure,
    seldom_evict,
)
from support.vectors import MakeVec
from test_vector import assert_same

from mlcompiler_gym import (
    InvalidActionError,
    LocalService,
    RegAllocEvictionEnv,
    RegAllocPriorityEnv,
)
from mlcompiler_gym.envs import CompilerVectorEnv

CLASSES = {EVICTION: RegAllocEvictionEnv, PRIORITY: RegAllocPriorityEnv}

#: Episodes of different lengths, some of them short.
PROGRAMS = [
    EMPTY,
    ir(pressure("small", 16), "small"),
    ir(pressure("smaller", 15) + pressure("other", 17), "smaller"),
    TWO,
]


@pytest.fixture
def make_vec(service: LocalService) -> Iterator[MakeVec]:
    """``make_vec(EVICTION, 3, …)``: environments, closed after the test."""
    made: list[CompilerVectorEnv] = []

    def make(env_id: str, num_envs: int, **settings: Any) -> CompilerVectorEnv:
        settings = {"programs": PROGRAMS, "service": service, **settings}
        envs = gymnasium.make_vec(env_id, num_envs=num_envs, **settings)
        assert isinstance(envs, CompilerVectorEnv)
        made.append(envs)
        return envs

    yield make
    for envs in made:
        envs.close()


def act(env_id: str, masks: Any, rng: np.random.Generator) -> Any:
    """Legal actions at random."""
    if env_id == PRIORITY:
        return rng.integers(1000, size=(4, 1)).astype(np.float32)
    return np.array([seldom_evict(mask, rng) for mask in masks])


def masks_of(env_id: str, envs: CompilerVectorEnv) -> Any:
    return envs.action_masks() if env_id == EVICTION else None


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(
    "extra",
    [{}, {"reward": "dense"}, {"function": "each"}],
    ids=["whole", "dense", "each"],
)
def test_equals_gymnasiums_vector_environment(
    make_vec: MakeVec,
    service: LocalService,
    env_id: str,
    mode: AutoresetMode,
    observation: str,
    extra: dict[str, Any],
) -> None:
    settings: dict[str, Any] = {"observation": observation, **extra}
    ours = make_vec(env_id, 4, autoreset_mode=mode, **settings)
    kwargs: dict[str, Any] = {"programs": PROGRAMS, "service": service, **settings}
    theirs = SyncVectorEnv([lambda: CLASSES[env_id](**kwargs)] * 4, autoreset_mode=mode)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_same(ours.reset(seed=5), theirs.reset(seed=5))
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(200):
        masks = masks_of(env_id, ours)
        if masks is not None:
            assert masks.shape == (4, 33)
            assert masks.dtype == np.bool_
            its = np.stack(theirs.call("action_masks"))
            np.testing.assert_array_equal(masks, its)
        actions = act(env_id, masks, rng)
        mine = ours.step(actions)
        assert_same(mine, theirs.step(actions))
        over = mine[2] | mine[3]
        endings += int(over.sum())
        if mode == AutoresetMode.DISABLED and over.any():
            assert_same(
                ours.reset(options={"reset_mask": over.copy()}),
                theirs.reset(options={"reset_mask": over.copy()}),
            )
    assert endings > 3
    theirs.close()


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("vectorization_mode", [None, "vector_entry_point"])
def test_make_vec(
    make_vec: MakeVec,
    service: LocalService,
    env_id: str,
    vectorization_mode: str | None,
) -> None:
    envs = make_vec(env_id, 3, vectorization_mode=vectorization_mode)
    assert envs.spec is not None
    assert envs.spec.id == env_id
    one = CLASSES[env_id](programs=TWO, service=service)
    assert envs.single_observation_space == one.observation_space
    assert envs.single_action_space == one.action_space
    observations, infos = envs.reset(seed=0, options={"program": "two"})
    assert observations in envs.observation_space
    assert list(infos["function"]) == ["first"] * 3
    assert envs.programs == ["two"] * 3
    if env_id == PRIORITY:
        with pytest.raises(TypeError, match="mask"):
            envs.action_masks()
    else:
        np.testing.assert_array_equal(envs.action_masks(), infos["action_mask"])


def test_masks_before_the_first_reset(make_vec: MakeVec) -> None:
    envs = make_vec(EVICTION, 2)
    assert envs.action_masks().shape == (2, 33)
    assert envs.action_masks().all()


def illegal_for(envs: CompilerVectorEnv, index: int) -> int:
    return int(np.flatnonzero(~envs.action_masks()[index])[0])


def test_an_illegal_action_is_refused_before_any_is_sent(
    make_vec: MakeVec,
) -> None:
    envs = make_vec(EVICTION, 3, programs=TWO)
    envs.reset(seed=0)
    illegal = illegal_for(envs, 1)
    with pytest.raises(InvalidActionError, match=rf"{illegal}\b.* is not legal"):
        envs.step([NOTHING, illegal, NOTHING])
    envs.step([NOTHING] * 3)
    assert envs.stats.crashes == 0


@pytest.mark.parametrize("action", [33, -1, 1.5, True])
def test_a_wrong_action_is_refused_before_any_is_sent(
    make_vec: MakeVec, action: Any
) -> None:
    envs = make_vec(EVICTION, 3, programs=TWO)
    envs.reset(seed=0)
    with pytest.raises(InvalidActionError):
        envs.step([NOTHING, action, NOTHING])
    envs.step([NOTHING] * 3)
    assert envs.stats.steps == 3


@pytest.mark.parametrize("env_id", IDS)
def test_send_and_recv(make_vec: MakeVec, env_id: str, make_env: MakeEnv) -> None:
    """However the batches fall, each environment lives its own life."""
    settings: dict[str, Any] = {"programs": TWO}
    envs = make_vec(env_id, 3, batch_size=2, **settings)
    envs.reset(seed=2)
    lives: list[list[Any]] = [[] for _ in range(3)]
    taken: list[list[Any]] = [[] for _ in range(3)]
    rng = np.random.default_rng(1)
    ready = [0, 1, 2]
    # Short of an episode's end.
    while max(map(len, lives)) < 100:
        for index in ready:
            action: Any = float(rng.integers(9))
            if env_id == EVICTION:
                action = int(rng.choice(np.flatnonzero(envs.action_masks()[index])))
            taken[index].append(action)
        envs.send([taken[index][-1] for index in ready], ready)
        observations, rewards, terminations, _, infos = envs.recv()
        ready = infos["env_id"].tolist()
        for row, index in enumerate(ready):
            lives[index].append((observations[row], rewards[row], terminations[row]))
    for index in range(3):
        solo = make_env(env_id, **settings)
        solo.reset(seed=2 + index)
        for action, lived in zip(taken[index], lives[index], strict=False):
            np.testing.assert_equal(solo.step(action)[:3], lived)


def test_all_are_heard_of_however_small_the_batch(make_vec: MakeVec) -> None:
    envs = make_vec(PRIORITY, 3, batch_size=2, programs=TWO)
    envs.reset(seed=0)
    heard: set[int] = set()
    ready = [0, 1, 2]
    for _ in range(10):
        envs.send([1.0] * len(ready), ready)
        sessions = [envs.sessions[index] for index in ready]
        for session in sessions:
            # Until all have answered.
            assert session is not None
            assert select.select([session.fileno()], [], [], 10)[0]
        ready = envs.recv()[4]["env_id"].tolist()
        heard.update(ready)
    assert heard == {0, 1, 2}


def test_the_death_of_one_is_its_own(make_vec: MakeVec) -> None:
    envs = make_vec(EVICTION, 3, programs=TWO)
    envs.reset(seed=0)
    envs.step([NOTHING] * 3)
    session = envs.sessions[1]
    assert session is not None
    os.kill(session.opened.pid, signal.SIGKILL)
    _, _, terminated, truncated, infos = envs.step([NOTHING] * 3)
    assert not terminated.any()
    assert truncated.tolist() == [False, True, False]
    assert infos["error_code"][1] == "SESSION_LOST"
    assert envs.action_masks()[1].all()
    # Reset in the next step, as any that is over.
    masks = envs.action_masks()
    actions = [int(np.flatnonzero(mask)[-1]) for mask in masks]
    _, _, _, truncated, infos = envs.step(actions)
    assert not truncated.any()
    assert infos["program"][1] == "two"
