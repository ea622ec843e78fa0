# SPDX-License-Identifier: Apache-2.0
"""Passes that crash, hang or break the module: the episode ends, and only that."""

import time
from collections.abc import Iterator

import pytest
from support.pass_ordering import LOOP, MakeOrdering, orderings, take
from support.samples import SLOW

from mlcompiler_gym import LocalService, ResetNeededError
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv


@pytest.fixture
def make_ordering(service: LocalService) -> Iterator[MakeOrdering]:
    """``make_ordering(actions=…)`` on a service of the test's own."""
    with orderings(service) as make:
        yield make


def check_goes_on(env: PassOrderingEnv, pid: int | None) -> None:
    """The episode is over; the service has not noticed, and the next one works."""
    with pytest.raises(ResetNeededError):
        env.step(0)
    assert env.setup.service.pid == pid  # type: ignore[attr-defined]
    _, info = take(env, [0])
    assert "error" not in info
    assert info["no_effect"] is False


@pytest.mark.parametrize(
    ("program", "bad", "code", "words"),
    [
        (LOOP, "trigger-crash-function", "CRASHED", "TriggerCrashFunctionPass on"),
        (LOOP, "trigger-crash-module", "CRASHED", "TriggerCrashModulePass"),
        ("kernels/sat", "unify-loop-exits", "CRASHED", "UnifyLoopExitsPass on"),
        (LOOP, "mem2reg,trigger-verifier-error", "BROKEN_MODULE", "trigger-verifier"),
        (
            LOOP,
            "function(trigger-verifier-error)",
            "BROKEN_MODULE",
            "trigger-verifier",
        ),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_a_pass_that_fails_is_named(
    make_ordering: MakeOrdering,
    program: object,
    bad: str,
    code: str,
    words: str,
    together: bool,
) -> None:
    env = make_ordering(actions=["sroa", bad], programs=program)
    observation, _ = env.reset()
    pid = env.setup.service.pid  # type: ignore[attr-defined]
    if together:
        last = env.multistep([0, 1, 0])
    else:
        env.step(0)
        last = env.step(1)
    observation, reward, terminated, truncated, info = last
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["error_code"] == code
    assert words in info["error"]
    assert info["program"] == env.program.name
    assert observation in env.observation_space
    assert not observation.any()
    check_goes_on(env, pid)


def test_a_pass_that_hangs(make_ordering: MakeOrdering) -> None:
    # Each finds nothing, slowly, in a function of 12000 instructions.
    hang = f"function({','.join(['slsr'] * 1500)})"
    env = make_ordering(actions=["mem2reg", hang], programs=SLOW, deadline=5.0)
    env.reset()
    pid = env.setup.service.pid  # type: ignore[attr-defined]
    began = time.monotonic()
    _, reward, terminated, truncated, info = env.step(1)
    assert time.monotonic() - began < 60
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["error_code"] == "DEADLINE_EXCEEDED"
    assert "StraightLineStrengthReducePass on slow" in info["error"]
    with pytest.raises(ResetNeededError):
        env.step(0)
    assert env.setup.service.pid == pid  # type: ignore[attr-defined]
    env.reset()
    assert not env.step(0)[3]


def test_a_fork_survives_what_its_twin_did(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=["sroa", "trigger-crash-function"])
    env.reset()
    twin = env.fork()
    assert env.step(1)[3]
    *_, truncated, info = twin.step(0)
    assert not truncated
    assert not info["no_effect"]
    twin.close()


def test_crashes_are_counted(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=["sroa", "trigger-crash-function"])
    for _ in range(3):
        take(env, [0, 1])
    assert env.stats.crashes == 3
    assert env.stats.episodes == 3
