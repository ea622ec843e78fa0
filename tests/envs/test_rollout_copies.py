# SPDX-License-Identifier: Apache-2.0
"""Many rollouts in one request: each is what a session plays alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import psutil
import pytest
from support.pass_ordering import FEW, ORDERING
from support.policies import random_network
from support.processes import HARMS, copies, wait_until, with_first_copy
from support.regalloc import EVICTION, MakeEnv

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.errors import ErrorCode, InvalidRequestError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

INLINING = "mlcompiler/Inlining-v0"
PARAMETERS = "mlcompiler/Parameters-v0"
RANDOM = PortablePolicy.named("random").to_bytes()


def plain(made: Rollout) -> dict[str, Any]:
    """All that a rollout says, in values that compare."""
    recording = made.recording
    return {
        "actions": made.actions.tolist(),
        "log_probabilities": made.log_probabilities.tolist(),
        "rewards": made.rewards.tolist(),
        "masks": None if made.masks is None else made.masks.tolist(),
        "rest": None if recording is None else recording.rest.tolist(),
        "columns": None
        if recording is None or recording.columns is None
        else recording.columns.tolist(),
        "end": (made.reward, made.terminated, made.truncated, made.seed),
        "observation": made.observation.tolist(),
        "info": {name: str(value) for name, value in made.info.items()},
    }


@pytest.mark.parametrize(
    ("env_id", "settings", "asked"),
    [
        (INLINING, {"programs": "kernels/hashes"}, {"features": True}),
        (
            EVICTION,
            {"programs": "kernels/lz", "reward": "dense"},
            {"features": "legal"},
        ),
        (EVICTION, {"programs": "kernels/lz"}, {"decisions": 7}),
        (
            ORDERING,
            {
                "programs": "kernels/hashes",
                "actions": FEW,
                "observations": ["autophase"],
            },
            {"features": True, "decisions": 3},
        ),
        (PARAMETERS, {"programs": "kernels/hashes"}, {}),
    ],
    ids=["inlining", "dense rewards", "a part", "no end of its own", "one decision"],
)
@pytest.mark.parametrize("seed", [None, 2**64 - 2])
def test_rollouts_are_those_of_the_session_itself(
    any_service: Any,
    env_id: str,
    settings: dict[str, Any],
    asked: dict[str, Any],
    seed: int | None,
) -> None:
    env = gymnasium.make(env_id, service=any_service, **settings).unwrapped
    assert isinstance(env, CompilerEnv)
    policy: Any = "random" if seed is not None else "inactive"
    seen, _ = env.reset(seed=0)
    if env_id != PARAMETERS:
        policy = random_network(env.setup)
        # They begin where the environment stands, not where the episode began.
        seen = env.rollout("random", seed=9, decisions=2).observation
    ours = env.rollouts(policy, 3, seed=seed, **asked)
    assert np.array_equal(env._engine.view.observation, seen)
    seeds = [None] * 3 if seed is None else [seed, seed + 1, 0]
    for one, own in zip(ours, seeds, strict=True):
        with env.fork() as twin:
            assert plain(one) == plain(twin.rollout(policy, seed=own, **asked))
    if seed is not None:
        assert len({str(one.actions) for one in ours}) > 1
    env.close()


def test_an_objective_that_is_measured_by_running(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/hashes", objective="cpu_time")
    env.reset(seed=0)
    for made in env.rollouts("random", 2, seed=1):
        assert made.terminated
        assert made.info["objective"]["cpu_time"] > 0


def test_a_program_without_decisions(make_env: MakeEnv) -> None:
    from support.vectors import NO_DECISION

    env = make_env(INLINING, programs=NO_DECISION)
    env.reset(seed=0)
    for made in env.rollouts("inactive", 2):
        assert made.info["no_decision"]
        assert made.terminated


@HARMS
def test_a_copy_costs_its_rollout(
    make_env: MakeEnv, harm: Callable[[psutil.Process], None], code: ErrorCode
) -> None:
    # At a decision that takes long to be played to the end.
    env = make_env(INLINING, programs="kernels/lisp", inlining_default=True)
    env.reset(seed=0)
    pid = env.session.opened.pid
    lost, kept = with_first_copy(pid, harm, lambda: env.rollouts("llvm", 2, parallel=1))
    assert (lost.terminated, lost.truncated) == (False, True)
    assert lost.info["error_code"] == code
    assert len(lost.actions) == 0
    assert kept.terminated
    assert env.finish("llvm")[4]["objective"] == kept.info["objective"]
    assert wait_until(lambda: not copies(pid))


def test_what_a_policy_decided_before_it_stopped_is_kept(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/hashes")
    env.reset(seed=0)
    broken = random_network(env.setup).message
    for layer in broken.model.network.layers:
        layer.activation = policy_pb2.Dense.IDENTITY
        layer.weights[:] = [3e38] * len(layer.weights)
    for made in env.rollouts(PortablePolicy(broken), 2):
        assert made.truncated
        assert "finite" in made.info["error"]
    assert env.rollouts("inactive", 1)[0].terminated


def test_the_deadline_is_for_each_of_them(make_env: MakeEnv) -> None:
    deadline = 1.0
    env = make_env(INLINING, programs="kernels/hashes", deadline=deadline)
    env.reset(seed=0)
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < 1.5 * deadline:
        env.rollouts("random", 10, seed=1, parallel=1)
        count += 10
    # All that this takes is more than the deadline.
    made = env.rollouts("random", count, seed=1, parallel=1)
    assert [each.terminated for each in made] == [True] * count


def test_an_episode_that_is_late_costs_no_other(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/lisp")
    env.reset(seed=0)
    play = pb.Play(policy=RANDOM, seed=1, episodes=4, parallel=1)
    reply = env.session.call(pb.Request(play=play, deadline_ms=1)).play
    assert [each.error.code for each in reply.episodes] == [pb.DEADLINE_EXCEEDED]
    assert not reply.episodes[0].error.session_ended
    assert reply.state.decisions == 0
    assert env.rollout("random", seed=1).terminated


def test_mistakes(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/hashes")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="n is a number from 1 on, not 0"):
        env.rollouts("inactive", 0)
    with pytest.raises(ValueError, match="parallel is a number from 1 on, not 0"):
        env.rollouts("inactive", 2, parallel=0)
    with pytest.raises(InvalidRequestError, match="needs a seed"):
        env.rollouts("random", 2)
    assert len(env.rollouts("inactive", 2)) == 2


def test_functions_are_played_one_by_one(make_env: MakeEnv) -> None:
    """An episode that ends as soon as the function has its registers."""
    env = make_env(EVICTION, programs="kernels/codecs")
    program = env.setup.programs.named("kernels/codecs")
    for name in functions_with_decisions(env.setup, program)[:2]:
        options = {"program": program, "function": name}
        env.reset(options=options)
        made = env.rollouts("random", 3, seed=5)
        for number, each in enumerate(made):
            env.reset(options=options)
            assert plain(each) == plain(env.rollout("random", seed=5 + number))
