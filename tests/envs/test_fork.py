# SPDX-License-Identifier: Apache-2.0
"""A fork is the same compile at the same decision, from then on its own."""

import os
import signal
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import answers, call_graphs, examples
from support.toolchain import KERNEL_NAMES, always, at_random, finish, follow, play

from mlcompiler_gym import (
    LocalService,
    Program,
    ResetNeededError,
    load_programs,
    replay,
)
from mlcompiler_gym.envs import CompilerEnv

Make = Callable[..., CompilerEnv]


def advance(env: CompilerEnv, actions: Sequence[int]) -> bool:
    """Answer that many decisions; whether there are any left."""
    return not any(env.step(action)[2] for action in actions)


def assert_equals_its_replay(env: CompilerEnv) -> None:
    """A compile from the start with the same answers gives the same bytes."""
    replayed = replay(env.trajectory, env.program, service=env.setup.service)
    assert env.emit("object") == replayed.object_code
    assert env.measure() == replayed.values


def check_fork(
    make: Make, program: Program, prefix: list[int], one: list[int], other: list[int]
) -> None:
    env = make(programs=program)
    _, info = env.reset()
    if "no_decision" in info or not advance(env, prefix):
        env.close()
        return
    twin = env.fork()
    # Taking turns, so that neither can lean on what the other leaves behind.
    going = {env: follow(one), twin: follow(other)}
    while going:
        for each in list(going):
            if each.step(going[each](None))[2]:
                del going[each]
    for each, suffix in ((env, one), (twin, other)):
        actions = list(each.trajectory.actions)
        assert actions[: len(prefix)] == prefix
        choose = follow(suffix)
        assert actions[len(prefix) :] == [choose(None) for _ in actions[len(prefix) :]]
        assert_equals_its_replay(each)
        each.close()


@examples(25)
@given(program=call_graphs(), prefix=answers, one=answers, other=answers)
def test_fork_equals_replay_on_random_programs(
    make: Make, program: Program, prefix: list[int], one: list[int], other: list[int]
) -> None:
    check_fork(make, program, prefix[:5], one, other)


KERNELS = st.sampled_from(KERNEL_NAMES)


def kernel(name: str) -> Program:
    return load_programs(f"kernels/{name}").named(f"kernels/{name}")


@examples(4)
@given(name=KERNELS, prefix=answers, one=answers, other=answers)
def test_fork_equals_replay(
    make: Make, name: str, prefix: list[int], one: list[int], other: list[int]
) -> None:
    check_fork(make, kernel(name), prefix, one, other)


@pytest.mark.slow
@examples(30)
@given(name=KERNELS, prefix=answers, one=answers, other=answers)
def test_fork_equals_replay_often(
    make: Make, name: str, prefix: list[int], one: list[int], other: list[int]
) -> None:
    check_fork(make, kernel(name), prefix, one, other)


def test_a_fork_stands_where_its_parent_stands(make: Make) -> None:
    env = make(programs="kernels/json", observation="dict", render_mode="ansi")
    env.reset()
    advance(env, [1, 0, 1, 1, 0])
    twin = env.fork()
    names = ("decision", "decisions", "ir")
    assert twin.observe(*names) == env.observe(*names)
    assert twin.render() == env.render()
    assert twin.measure() == env.measure()
    assert twin.trajectory == env.trajectory
    assert twin.baseline == env.baseline
    assert twin.spec == env.spec
    for mine, its in zip(env.step(1), twin.step(1), strict=True):
        np.testing.assert_equal(mine, its)
    assert twin.observe(*names) == env.observe(*names)
    twin.close()


def test_steps_of_one_are_not_seen_by_the_other(make: Make) -> None:
    env = make(programs="kernels/json")
    env.reset()
    advance(env, [1, 0, 1])
    before = env.observe("decision", "decisions", "ir")
    twin = env.fork()
    finish(twin, always(1))
    assert env.trajectory.actions == (1, 0, 1)
    assert env.observe("decision", "decisions", "ir") == before
    assert env.stats.episodes == 1
    assert env.stats.steps == 3
    twin.close()


def test_forks_of_forks(make: Make) -> None:
    """A chain of forks, each made by the last; all are finished, newest first."""
    env = make(programs="kernels/lz")
    env.reset()
    chain = [env]
    for generation in range(8):
        advance(chain[-1], [generation % 2, 1])
        chain.append(chain[-1].fork())
    for seed, each in enumerate(reversed(chain)):
        finish(each, at_random(seed))
    assert len({len(each.trajectory.actions) for each in chain}) > 1
    for each in chain:
        assert_equals_its_replay(each)
        each.close()


def test_the_parent_may_go_first(make: Make) -> None:
    env = make(programs="kernels/graph")
    env.reset()
    advance(env, [1, 1, 0])
    twin = env.fork()
    env.close()
    grandchild = twin.fork()
    finish(twin, at_random(0))
    assert_equals_its_replay(twin)
    twin.close()
    finish(grandchild, at_random(1))
    assert_equals_its_replay(grandchild)
    grandchild.close()


def test_the_death_of_one_is_not_felt_by_the_other(
    make: Make, service: LocalService
) -> None:
    env = make(programs="kernels/graph")
    env.reset()
    advance(env, [1, 1, 0])
    twin = env.fork()
    os.kill(env.session.opened.pid, signal.SIGKILL)
    _, _, truncated, info = finish(env, always(0))
    assert truncated
    assert info["error_code"] == "SESSION_LOST"
    finish(twin, at_random(2))
    assert_equals_its_replay(twin)
    twin.close()


def test_fork_after_the_end(make: Make) -> None:
    env = make(programs="kernels/lz", render_mode="ansi")
    play(env, at_random(3))
    twin = env.fork()
    assert twin.emit("object") == env.emit("object")
    assert twin.trajectory == env.trajectory
    assert twin.render() == env.render()
    with pytest.raises(ResetNeededError):
        twin.step(0)
    # It is an environment like any other.
    env.close()
    assert play(twin, always(0))[1]
    twin.close()


def test_fork_at_the_first_decision_and_of_no_decision(make: Make) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    twin = env.fork()
    finish(twin, always(1))
    assert_equals_its_replay(twin)
    twin.close()
    env.reset(options={"program": Program("none", b"define void @f() {\n ret void\n}")})
    twin = env.fork()
    assert twin.step(0)[1:] == env.step(0)[1:]
    twin.close()


def test_forks_draw_the_same_programs_independently(make: Make) -> None:
    env = make(programs="kernels")
    env.reset(seed=4)
    env.action_space.seed(4)
    twin = env.fork()
    drawn = [env.reset()[1]["program"] for _ in range(5)]
    assert [twin.reset()[1]["program"] for _ in range(5)] == drawn
    sampled = [env.action_space.sample() for _ in range(20)]
    assert [twin.action_space.sample() for _ in range(20)] == sampled
    twin.close()
