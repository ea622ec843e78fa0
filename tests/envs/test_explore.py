# SPDX-License-Identifier: Apache-2.0
"""Actions tried in copies of a session: what becomes of the copies, and of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from support import processes
from support.processes import wait_until
from support.regalloc import EVICTION, MakeEnv

from mlcompiler_gym import PassOrderingEnv, PortablePolicy
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.errors import (
    CompilerCrashedError,
    ErrorCode,
    InvalidRequestError,
    ServiceError,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

INLINING = "mlcompiler/Inlining-v0"
LLVM = PortablePolicy.named("llvm").to_bytes()


@pytest.fixture
def env(make_env: MakeEnv) -> CompilerEnv:
    """At a decision that takes long to be played to the end."""
    env = make_env(INLINING, programs="kernels/lisp", inlining_default=True)
    env.reset(seed=0)
    return env


def copies(env: CompilerEnv) -> list[psutil.Process]:
    return processes.copies(env.session.opened.pid)


@processes.HARMS
def test_a_copy_costs_its_action_the_value(
    env: CompilerEnv, harm: Callable[[psutil.Process], None], code: ErrorCode
) -> None:
    expected = env.action_values()
    values = processes.with_first_copy(
        env.session.opened.pid, harm, lambda: env.action_values(parallel=1)
    )
    assert list(values) == [0, 1]
    assert math.isnan(values[0]["text_size"])
    assert values[1] == expected[1]
    assert list(values.errors) == [0]
    error = values.errors[0]
    assert isinstance(error, ServiceError)
    assert error.code == code
    assert not error.session_ended
    assert env.action_values() == expected
    assert wait_until(lambda: not copies(env))
    assert env.finish("llvm")[4]["objective"] in expected.values()


def test_the_deadline_costs_values_and_not_the_session(env: CompilerEnv) -> None:
    request = pb.Request(explore=pb.Explore(policy=pb.Play(policy=LLVM)), deadline_ms=1)
    reply = env.session.call(request).explore
    assert [a.error.code for a in reply.decisions[0].alternatives] == (
        [pb.DEADLINE_EXCEEDED] * 2
    )
    assert not any(a.measurements for a in reply.decisions[0].alternatives)
    assert reply.state.decisions == 0
    assert not env.action_values().errors


def test_copies_end_with_their_session(env: CompilerEnv) -> None:
    message = pb.Request(explore=pb.Explore(policy=pb.Play(policy=LLVM)))
    env.session.send(message.SerializeToString())
    assert wait_until(lambda: bool(copies(env)))
    found = copies(env)
    psutil.Process(env.session.opened.pid).kill()
    assert wait_until(lambda: not any(each.is_running() for each in found))


def test_at_most_so_many_copies_at_once(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs="kernels/lz", eviction_default=True)
    env.reset(seed=0)
    assert env.action_masks().sum() > 6
    # One that has reported may not have ended yet.
    assert most_copies(env, parallel=1) <= 2
    assert most_copies(env, parallel=6) > 2


def most_copies(env: CompilerEnv, parallel: int) -> int:
    most = 0
    seen = threading.Event()

    def watch() -> None:
        nonlocal most
        while not seen.is_set():
            most = max(most, len(copies(env)))

    watching = threading.Thread(target=watch)
    watching.start()
    env.action_values(parallel=parallel)
    seen.set()
    watching.join()
    return most


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (pb.Explore(policy=pb.Play(policy=b"?")), "policy"),
        (pb.Explore(policy=pb.Play(policy=LLVM, decisions=2)), "no number"),
        (pb.Explore(policy=pb.Play(policy=LLVM, episodes=2)), "number of episodes"),
        (pb.Explore(policy=pb.Play(policy=LLVM), decisions=[1, 1]), "ascending"),
        (pb.Explore(policy=pb.Play(policy=LLVM), actions=b"123"), "8 bytes"),
        (pb.Explore(policy=pb.Play(policy=LLVM), actions=b"\x02" + bytes(7)), "0..1"),
    ],
)
def test_refuses(env: CompilerEnv, request_: pb.Explore, why: str) -> None:
    with pytest.raises(Exception, match=why):
        env.session.call(pb.Request(explore=request_))
    assert not env.action_values().errors


def test_explores_while_the_policy_plays(env: CompilerEnv) -> None:
    """Each value is that of an episode that differs at one decision."""
    seeded = pb.Play(policy=PortablePolicy.named("random").to_bytes(), seed=5)
    play = pb.Play()
    play.CopyFrom(seeded)
    play.features = True
    request = pb.Explore(policy=play, decisions=[0, 2, 7])
    with env.fork() as twin:
        explored = twin.session.call(pb.Request(explore=request)).explore
        assert [each.decision for each in explored.decisions] == [0, 2, 7]
        assert explored.state.decisions == 7
        assert explored.state.features == explored.decisions[-1].features
        rest = pb.Play(policy=seeded.policy, seed=explored.seed)
        played = twin.session.call(pb.Request(play=rest)).play
    with env.fork() as twin:
        whole = twin.session.call(pb.Request(play=seeded)).play
    assert played.state.outcome == whole.state.outcome
    assert whole.actions.endswith(played.actions)
    for each in explored.decisions:
        at = 8 * each.decision
        assert whole.actions[at : at + 8] == each.action
        for tried in each.alternatives:
            if tried.action == each.action:
                assert tried.measurements == whole.state.outcome.measurements


ORDERING = "mlcompiler/PassOrdering-v0"


@pytest.mark.parametrize("objective", ["text_size", {"text_size": 1, "mca_cycles": 2}])
def test_a_task_without_an_end(make_env: MakeEnv, objective: Any) -> None:
    """An action is worth what comes of it alone."""
    actions = ["dce", "trigger-crash-function", "default<Oz>", "sroa"]
    env = make_env(
        ORDERING, programs="kernels/lz", actions=actions, objective=objective
    )
    assert isinstance(env, PassOrderingEnv)
    env.reset(seed=0)
    env.step(3)
    expected, rewards = {}, {}
    for action in (0, 2, 3):
        with env.fork() as twin:
            _, rewards[action], _, _, info = twin.step(action)
            expected[action] = info["objective"]
    values = env.action_values()
    assert list(values) == [0, 1, 2, 3]
    assert isinstance(values.errors[1], CompilerCrashedError)
    assert all(map(math.isnan, values.pop(1).values()))
    assert values == expected
    assert env.action_values(actions=[2]) == {2: expected[2]}
    assert env.action_rewards() == rewards
    assert env.action_rewards([0], parallel=1) == {0: rewards[0]}
    # The episode is where it was.
    assert env.trajectory.actions == (3,)
    assert env.step(2)[4]["objective"] == expected[2]


def test_nothing_follows_in_a_task_without_an_end(make_env: MakeEnv) -> None:
    env = make_env(ORDERING, programs="kernels/lz", repeats=False)
    env.reset(seed=0)
    env.step(0)
    assert 0 not in env.action_values(parallel=2)
    with pytest.raises(InvalidActionError):
        env.action_values(actions=[0])
    for given in ({"policy": "random", "seed": 0}, {"seed": 1}, {"policy": "always"}):
        with pytest.raises(ValueError, match="no end of its own"):
            env.action_values(**given)
    for request in (
        pb.Explore(decisions=[0]),
        pb.Explore(policy=pb.Play(policy=LLVM)),
    ):
        with pytest.raises(InvalidRequestError, match="leave out the policy"):
            env.session.call(pb.Request(explore=request))
    env.step(1)


def test_one_function(make_env: MakeEnv) -> None:
    """An episode that ends as soon as the function has its registers."""
    env = make_env(EVICTION, programs="kernels/codecs", eviction_default=True)
    program = env.setup.programs.named("kernels/codecs")
    [name, *_] = functions_with_decisions(env.setup, program)
    observation, _ = env.reset(options={"program": program, "function": name})
    values = env.action_values()
    assert not values.errors
    default = int(env.setup.features.pick(observation, "eviction_default").item())
    assert env.finish("llvm")[4]["objective"] == values[default]
