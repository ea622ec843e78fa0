# SPDX-License-Identifier: Apache-2.0
"""Vectors of environments when they are misused, closed or hurt."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from support.processes import processes_of, wait_until
from support.vectors import NO_DECISION, MakeVec, chain

from mlcompiler_gym import (
    InvalidActionError,
    LocalService,
    Program,
    ProgramError,
    ResetNeededError,
    ServiceError,
)
from mlcompiler_gym.envs import CompilerVectorEnv

CHAINS = [chain(6)]


def assert_goes_on(envs: CompilerVectorEnv, decided: int) -> None:
    """Every environment is at its decision of that number, and can be stepped."""
    for session in envs.sessions:
        assert session is not None
        assert session.observe("decisions")["decisions"].count("->") == decided
    envs.step([1] * envs.num_envs)


@pytest.mark.parametrize("actions", [[], [1], [1, 1], [1, 1, 1, 1]])
def test_one_action_for_each(make_vec: MakeVec, actions: list[int]) -> None:
    envs = make_vec(3, programs=CHAINS)
    envs.reset(seed=0)
    with pytest.raises(InvalidActionError, match=f"{len(actions)} actions for 3"):
        envs.step(actions)
    assert_goes_on(envs, 0)


@pytest.mark.parametrize(
    "actions",
    [[1, 2, 1], [1, 1, -1], np.ones(3), np.ones((3, 1), int), [True, True, True]],
    ids=repr,
)
def test_one_wrong_action_and_none_is_taken(make_vec: MakeVec, actions: Any) -> None:
    envs = make_vec(3, programs=CHAINS)
    envs.reset(seed=0)
    with pytest.raises(InvalidActionError, match="action"):
        envs.step(actions)
    assert_goes_on(envs, 0)


@pytest.mark.parametrize("ids", [[0, 3], [-1, 0]])
def test_environments_that_do_not_exist(make_vec: MakeVec, ids: list[int]) -> None:
    envs = make_vec(3, programs=CHAINS)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"not in 0\.\.2"):
        envs.send([1, 1], ids)
    assert_goes_on(envs, 0)


def test_one_environment_twice(make_vec: MakeVec) -> None:
    envs = make_vec(3, programs=CHAINS)
    envs.reset(seed=0)
    with pytest.raises((ValueError, ResetNeededError), match="1"):
        envs.send([1, 0], [1, 1])
    assert_goes_on(envs, 0)


def test_the_order_of_calls(make_vec: MakeVec) -> None:
    envs = make_vec(3, programs=CHAINS)
    with pytest.raises(ResetNeededError, match="reset"):
        envs.step([1, 1, 1])
    with pytest.raises(ResetNeededError, match="send"):
        envs.recv()
    envs.reset(seed=0)
    with pytest.raises(ResetNeededError, match="send"):
        envs.recv()
    envs.send([1], [1])
    with pytest.raises(ResetNeededError, match="environment 1"):
        envs.send([1, 1], [0, 1])
    with pytest.raises(ResetNeededError, match=r"\[1\].*recv"):
        envs.step([1, 1, 1])
    # A batch is never larger than what is on its way.
    assert envs.recv()[4]["env_id"].tolist() == [1]
    envs.send([1, 1], [2, 0])
    assert envs.recv()[4]["env_id"].tolist() == [0, 2]
    assert_goes_on(envs, 1)


def test_reset_takes_back_what_is_on_its_way(make_vec: MakeVec) -> None:
    envs = make_vec(3, programs=CHAINS)
    first, _ = envs.reset(seed=0)
    envs.send([1, 1, 1])
    again, _ = envs.reset(seed=0)
    np.testing.assert_array_equal(again, first)
    assert_goes_on(envs, 0)


def test_autoreset_disabled_asks_for_a_reset(make_vec: MakeVec) -> None:
    envs = make_vec(
        2, programs=[chain(2), chain(5)], autoreset_mode=AutoresetMode.DISABLED
    )
    envs.reset(options={"program": "chain5"})
    mask = np.array([False, True])
    envs.reset(options={"program": "chain2", "reset_mask": mask})
    assert envs.programs == ["chain5", "chain2"]
    over = envs.step([1, 1])[2]
    while not over.any():
        over = envs.step([1, 1])[2]
    assert over.tolist() == [False, True]
    with pytest.raises(ResetNeededError, match=r"environment 1.*reset_mask"):
        envs.step([1, 1])
    envs.reset(options={"reset_mask": mask})
    envs.step([1, 1])


@pytest.mark.parametrize(
    "mask",
    [np.array([True]), np.array([1, 0, 1]), np.zeros(3, bool), "all"],
    ids=repr,
)
def test_wrong_masks(make_vec: MakeVec, mask: Any) -> None:
    envs = make_vec(3, programs=CHAINS)
    envs.reset(seed=0)
    with pytest.raises((ValueError, TypeError), match="reset_mask"):
        envs.reset(options={"reset_mask": mask})
    assert_goes_on(envs, 0)


def test_wrong_arguments(make_vec: MakeVec) -> None:
    with pytest.raises(ValueError, match="num_envs"):
        make_vec(0)
    for size in (0, 4, -1):
        with pytest.raises(ValueError, match="batch_size"):
            make_vec(3, batch_size=size)
    with pytest.raises(ValueError, match="nonsuch"):
        make_vec(3, autoreset_mode="nonsuch")
    with pytest.raises(ValueError, match="nonsuch"):
        make_vec(3, objective="nonsuch")
    envs = make_vec(3)
    with pytest.raises(ValueError, match="2 seeds for 3"):
        envs.reset(seed=[1, 2])
    with pytest.raises(ValueError, match="nonsuch"):
        envs.reset(options={"nonsuch": 1})
    with pytest.raises(ProgramError, match="nonsuch"):
        envs.reset(options={"program": "nonsuch"})
    envs.reset(seed=0)


def test_a_program_that_cannot_be_compiled_leaves_the_vector_usable(
    make_vec: MakeVec,
) -> None:
    envs = make_vec(3, programs=CHAINS)
    with pytest.raises(ServiceError) as caught:
        envs.reset(options={"program": Program("broken", b"nonsense")})
    assert caught.value.code == "INVALID_PROGRAM"
    envs.reset(seed=0)
    assert_goes_on(envs, 0)


def test_close_leaves_no_process(make_vec: MakeVec, service: LocalService) -> None:
    envs = make_vec(4, programs=CHAINS)
    envs.reset(seed=0)
    envs.send([1, 1], [0, 3])
    pids = [s.opened.pid for s in envs.sessions if s is not None]
    assert len(set(pids)) == 4
    assert service.pid is not None
    assert set(pids) < set(processes_of(service.pid))
    envs.close()
    envs.close()
    assert wait_until(lambda: not set(pids) & set(processes_of(service.pid or 0)))
    with pytest.raises(ResetNeededError):
        envs.step([1, 1, 1, 1])


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_a_killed_session_truncates_its_slot_only(
    make_vec: MakeVec, mode: AutoresetMode
) -> None:
    envs = make_vec(3, programs=CHAINS, autoreset_mode=mode)
    envs.reset(seed=0)
    victim = envs.sessions[1]
    assert victim is not None
    os.kill(victim.opened.pid, signal.SIGKILL)
    _, rewards, terminated, truncated, infos = envs.step([1, 1, 1])
    assert rewards.tolist() == [0, 0, 0]
    assert not terminated.any()
    assert truncated.tolist() == [False, True, False]
    assert infos["_error"].tolist() == [False, True, False]
    assert infos["error_code"][1] == "SESSION_LOST"
    assert envs.stats.crashes == 1
    if mode == AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": truncated})
    _, _, _, truncated, _ = envs.step([1, 1, 1])
    assert not truncated.any()
    decided = [2, 1, 2] if mode == AutoresetMode.DISABLED else [2, 0, 2]
    for session, count in zip(envs.sessions, decided, strict=True):
        assert session is not None
        assert session.observe("decisions")["decisions"].count("->") == count


def test_a_killed_session_in_the_same_step_mode(make_vec: MakeVec) -> None:
    envs = make_vec(3, programs=CHAINS, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    victim = envs.sessions[1]
    assert victim is not None
    os.kill(victim.opened.pid, signal.SIGKILL)
    observations, _, _, truncated, infos = envs.step([1, 1, 1])
    assert truncated.tolist() == [False, True, False]
    assert infos["final_info"]["error_code"][1] == "SESSION_LOST"
    assert infos["_final_obs"].tolist() == [False, True, False]
    assert observations[1].any(), "the first decision of the next episode"
    assert not envs.step([1, 1, 1])[3].any()


@pytest.mark.parametrize("target", ["parked", "service"])
def test_a_killed_service_is_not_noticed_at_reset(
    make_vec: MakeVec, service: LocalService, target: str
) -> None:
    envs = make_vec(3, programs=CHAINS)
    first, _ = envs.reset(seed=0)
    assert service.pid is not None
    sessions = {s.opened.pid for s in envs.sessions if s is not None}
    others = set(processes_of(service.pid)) - sessions - {service.pid}
    assert others, "the parked session"
    for pid in others if target == "parked" else {service.pid}:
        os.kill(pid, signal.SIGKILL)
    again, _ = envs.reset(seed=0)
    np.testing.assert_array_equal(again, first)
    assert_goes_on(envs, 0)


def test_stats(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs=[NO_DECISION, chain(3)])
    envs.reset(options={"program": "chain3"})
    envs.step([1, 1])
    assert (envs.stats.episodes, envs.stats.steps) == (2, 2)
    # The step that ends an episode without decisions answers none.
    envs.reset(options={"program": "none"})
    envs.step([1, 1])
    assert (envs.stats.episodes, envs.stats.steps) == (4, 2)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_own_vectors(
    make_vec: MakeVec, mode: str, small_c: Callable[..., Any]
) -> None:
    """Also in forked workers, which share the default service with their parent."""
    theirs = gymnasium.make_vec(
        "mlcompiler/Inlining-v0",
        num_envs=2,
        vectorization_mode=mode,
        programs=str(small_c),
    )
    ours = make_vec(2, programs=str(small_c))
    try:
        np.testing.assert_array_equal(theirs.reset(seed=1)[0], ours.reset(seed=1)[0])
        for _ in range(30):
            mine, its = ours.step([1, 0]), theirs.step(np.array([1, 0]))
            for one, other in zip(mine[:4], its[:4], strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        theirs.close()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 9}, "batch_size"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
        ({"render_mode": "human"}, "human"),
    ],
)
def test_what_is_refused_goes_without_a_word(
    make_vec: MakeVec,
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, Any],
    message: str,
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    with pytest.raises(ValueError, match=message):
        make_vec(2, **wrong)
    gc.collect()
    assert not said
