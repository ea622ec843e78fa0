# SPDX-License-Identifier: Apache-2.0
"""Many compiles at once: the same as one by one, and without waiting."""

import os
import signal
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from support.vectors import SMALL, MakeVec, chain

from mlcompiler_gym import InliningEnv, LocalService

ID = "mlcompiler/Inlining-v0"
MODES = list(AutoresetMode)


def plain(value: Any) -> Any:
    """With lists for arrays of objects, which NumPy cannot compare."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [plain(item) for item in value]
    return value


def assert_same(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    *our_values, our_infos = ours
    *their_values, their_infos = theirs
    np.testing.assert_equal(our_values, their_values)
    for mine, its in zip(our_values[1:], their_values[1:], strict=True):
        assert mine.dtype == its.dtype
    ours_alone = plain(our_infos)
    ours_alone.pop("env_id", None)
    np.testing.assert_equal(ours_alone, plain(their_infos))


def sync(service: LocalService, mode: AutoresetMode, **settings: Any) -> SyncVectorEnv:
    kwargs: dict[str, Any] = {"service": service, "programs": SMALL, **settings}
    return SyncVectorEnv(
        [lambda: InliningEnv(**kwargs) for _ in range(4)], autoreset_mode=mode
    )


@pytest.mark.parametrize("vectorization_mode", [None, "vector_entry_point"])
def test_make_vec(
    make_vec: MakeVec, service: LocalService, vectorization_mode: str | None
) -> None:
    envs = make_vec(3, vectorization_mode=vectorization_mode)
    one = InliningEnv(programs=SMALL, service=service)
    assert envs.spec is not None
    assert envs.spec.id == ID
    assert envs.num_envs == 3
    assert envs.single_observation_space == one.observation_space
    assert envs.single_action_space == one.action_space
    observations, infos = envs.reset(seed=0)
    assert observations in envs.observation_space
    assert list(infos["program"]) == envs.programs
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("mode", MODES)
def test_equals_gymnasiums_vector_environment(
    make_vec: MakeVec, service: LocalService, mode: AutoresetMode, observation: str
) -> None:
    ours = make_vec(4, autoreset_mode=mode, observation=observation)
    theirs = sync(service, mode, observation=observation)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_same(ours.reset(seed=21), theirs.reset(seed=21))
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(40):
        actions = rng.integers(2, size=4)
        mine = ours.step(actions)
        assert_same(mine, theirs.step(actions))
        over = mine[2] | mine[3]
        endings += int(over.sum())
        if mode == AutoresetMode.DISABLED and over.any():
            # The same mask for both; Gymnasium takes it out of the dict.
            assert_same(
                ours.reset(options={"reset_mask": over.copy()}),
                theirs.reset(options={"reset_mask": over.copy()}),
            )
    assert endings > 15
    theirs.close()


def test_real_programs_equal_gymnasiums(
    make_vec: MakeVec, service: LocalService
) -> None:
    settings: dict[str, Any] = {
        "programs": ["kernels/lz", "kernels/json", "kernels/hashes"],
        "objective": {"text_size": 1.0, "ir_instructions": 0.5},
    }
    ours = make_vec(4, autoreset_mode="SameStep", **settings)
    theirs = sync(service, AutoresetMode.SAME_STEP, **settings)
    assert_same(ours.reset(seed=3), theirs.reset(seed=3))
    rng = np.random.default_rng(1)
    for _ in range(100):
        actions = rng.integers(2, size=4)
        assert_same(ours.step(actions), theirs.step(actions))
    theirs.close()


def test_a_list_of_seeds_and_options(make_vec: MakeVec, service: LocalService) -> None:
    ours = make_vec(4)
    theirs = sync(service, AutoresetMode.NEXT_STEP)
    seeds = [5, 5, None, 7]
    options = {"program": "chain3"}
    assert_same(
        ours.reset(seed=seeds, options=options),
        theirs.reset(seed=seeds, options=options),
    )
    assert ours.programs == ["chain3"] * 4
    first = ours.reset(seed=[1, 1, 2, 2])[1]["program"]
    assert first[0] == first[1]
    assert first[2] == first[3]
    theirs.close()


def test_observations_kept_by_the_agent_stay_as_they_were(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs="kernels/lz")
    first, _ = envs.reset(seed=0)
    kept = first.copy()
    second = envs.step([1, 1])[0]
    kept_second = second.copy()
    envs.step([0, 1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(second, kept_second)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
def test_send_and_recv(
    make_vec: MakeVec, service: LocalService, batch_size: int
) -> None:
    """However the batches fall, each environment lives its own life."""
    count = 5
    envs = make_vec(count, batch_size=batch_size, programs=SMALL[1:])
    observations, infos = envs.reset(seed=9)
    lives: list[list[Any]] = [
        [(observations[i], infos["program"][i])] for i in range(count)
    ]
    steps = [0] * count
    rngs = [np.random.default_rng(i) for i in range(count)]
    taken: list[list[int]] = [[] for _ in range(count)]
    ready = list(range(count))
    while min(steps) < 25:
        actions = [int(rngs[i].integers(2)) for i in ready]
        for i, action in zip(ready, actions, strict=True):
            taken[i].append(action)
        envs.send(actions, ready)
        observations, rewards, terminations, truncations, infos = envs.recv()
        ready = infos["env_id"].tolist()
        assert len(ready) == batch_size
        assert ready == sorted(set(ready))
        assert len(observations) == len(rewards) == len(terminations) == batch_size
        assert not truncations.any()
        for row, i in enumerate(ready):
            steps[i] += 1
            program = infos["program"][row] if "program" in infos else None
            lives[i].append(
                (observations[row], program, rewards[row], terminations[row])
            )
        # All are heard of, however small the batch.
        assert max(steps) - min(steps) < 200
    for i in range(count):
        solo = InliningEnv(programs=SMALL[1:], service=service)
        observation, info = solo.reset(seed=9 + i)
        np.testing.assert_equal(lives[i][0], (observation, info["program"]))
        over = False
        for action, lived in zip(taken[i], lives[i][1:], strict=False):
            if over:
                observation, info = solo.reset()
                reward, over = 0.0, False
            else:
                observation, reward, over, _, info = solo.step(action)
            expected = (observation, info.get("program"), reward, over)
            np.testing.assert_equal(lived, expected)
        solo.close()


def test_a_slow_compile_holds_nobody_up(make_vec: MakeVec) -> None:
    envs = make_vec(3, batch_size=2, programs=[chain(6)])
    envs.reset(seed=0)
    session = envs.sessions[1]
    assert session is not None
    stopped = session.opened.pid
    os.kill(stopped, signal.SIGSTOP)
    try:
        envs.send([1, 1, 1])
        for _ in range(4):
            infos = envs.recv()[4]
            assert infos["env_id"].tolist() == [0, 2]
            envs.send([1, 1], [0, 2])
        envs.recv()
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert envs.recv()[4]["env_id"].tolist() == [1]
