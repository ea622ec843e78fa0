# SPDX-License-Identifier: Apache-2.0
"""Misuse of an environment: refused by name, and the environment goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium.error
import numpy as np
import pytest
from support.toolchain import always, finish, play

from mlcompiler_gym import (
    InvalidActionError,
    LocalService,
    Program,
    ProgramError,
    ResetNeededError,
    ServiceError,
)
from mlcompiler_gym.envs import CompilerEnv

Make = Callable[..., CompilerEnv]

CALLS: dict[str, Callable[[CompilerEnv], Any]] = {
    "step": lambda env: env.step(0),
    "fork": lambda env: env.fork(),
    "trajectory": lambda env: env.trajectory,
    "program": lambda env: env.program,
    "session": lambda env: env.session,
    "emit": lambda env: env.emit(),
    "action_masks": lambda env: env.action_masks(),
}


@pytest.mark.parametrize("call", CALLS)
def test_reset_comes_first(make: Make, call: str) -> None:
    env = make(programs="kernels/lz")
    lacking = {"emit": "session"}.get(call, call)
    with pytest.raises(ResetNeededError, match=rf"^{lacking}: .*reset"):
        CALLS[call](env)
    env.reset()
    CALLS[call](env)
    env.close()
    with pytest.raises(ResetNeededError, match=rf"^{lacking}: .*reset"):
        CALLS[call](env)
    env.reset()
    CALLS[call](env)


def test_step_after_the_end(make: Make) -> None:
    env = make(programs="kernels/lz")
    play(env, always(0))
    before = env.emit("object")
    for _ in range(2):
        with pytest.raises(gymnasium.error.ResetNeeded, match="over"):
            env.step(0)
    assert env.emit("object") == before
    with pytest.raises(ServiceError, match="decision") as caught:
        env.observe("decision")
    assert caught.value.code == "FAILED_PRECONDITION"
    assert play(env, always(0))[1]


def test_step_after_the_end_without_decision(make: Make) -> None:
    env = make(programs=Program("none", b"define void @f() {\n  ret void\n}\n"))
    env.reset()
    env.step(0)
    with pytest.raises(ResetNeededError):
        env.step(0)


@pytest.mark.parametrize(
    "action",
    [
        2,
        -1,
        10**30,
        True,
        np.bool_(True),
        1.0,
        np.float32(1),
        np.array([1]),
        np.array([[1]]),
        np.array(1.0),
        [1],
        "1",
        None,
    ],
    ids=repr,
)
def test_wrong_actions_change_nothing(make: Make, action: Any) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    env.step(1)
    decision = env.observe("decision", "decisions")
    with pytest.raises(gymnasium.error.InvalidAction, match="action") as caught:
        env.step(action)
    assert isinstance(caught.value, InvalidActionError)
    assert env.observe("decision", "decisions") == decision
    assert env.trajectory.actions == (1,)
    # The episode goes on as if nothing had been said.
    finish(env, always(0))
    undisturbed = make(programs="kernels/lz")
    undisturbed.reset()
    undisturbed.step(1)
    finish(undisturbed, always(0))
    assert env.emit("object") == undisturbed.emit("object")


@pytest.mark.parametrize(
    "action",
    [np.int64(1), np.int8(1), np.uint64(1), np.array(1), np.array([0, 1])[1]],
    ids=repr,
)
def test_integers_of_all_kinds_are_actions(make: Make, action: Any) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    env.step(action)
    assert env.trajectory.actions == (1,)
    assert type(env.trajectory.actions[0]) is int


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"programs": "kernels/nonsuch"}, ProgramError, "kernels/nonsuch"),
        ({"programs": "nonsuch"}, ProgramError, "nonsuch"),
        ({"objective": "nonsuch"}, ValueError, "'nonsuch'.*text_size"),
        ({"objective": {"text_size": 1, "nonsuch": 2}}, ValueError, "'nonsuch'"),
        ({"observation": "nonsuch"}, ValueError, "'nonsuch'"),
        ({"nonsuch": 1}, TypeError, "nonsuch"),
        ({"target": "riscv64-linux-gnu"}, ProgramError, "riscv64-linux-gnu"),
        ({"objective": {}}, ValueError, "objective"),
        ({"deadline": 0}, ValueError, "deadline"),
        ({"deadline": float("inf")}, ValueError, "deadline"),
        ({"deadline": -1.5}, ValueError, "deadline.*-1.5"),
        ({"memory_limit": 0}, ValueError, "memory_limit"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_arguments_are_named_at_once(
    make: Make, settings: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        make(**settings)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"pipeline": "default<Ox>"}, "default<Ox>"),
        ({"pipeline": "nonsuch"}, "nonsuch"),
        ({"cpu": "nonsuch"}, "nonsuch"),
    ],
    ids=str,
)
def test_what_only_the_service_knows_is_named_at_reset(
    make: Make, settings: dict[str, Any], named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    env = make(programs="kernels/lz", **settings)
    with pytest.raises(ServiceError, match=named) as caught:
        env.reset()
    assert caught.value.code == "INVALID_ARGUMENT"
    # The error is the message; the terminal belongs to the user.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("target", ["aarch64-linux-gnu", "nonsuch"])
def test_target_of_another_architecture(
    make: Make, service: LocalService, target: str
) -> None:
    program = make(programs="kernels/lz").setup.programs[0]
    env = make(programs=program, target=target)
    with pytest.raises(ServiceError, match=target) as caught:
        env.reset()
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense",
        b"BC\xc0\xde",
        b"\x7fELF" + bytes(60),
        b"define i32 @f() { ret void }",
    ],
    ids=["text", "no bitcode", "object file", "ill-typed"],
)
def test_a_program_that_is_none_does_not_end_the_environment(
    make: Make, content: bytes
) -> None:
    env = make(programs="kernels/lz")
    with pytest.raises(ServiceError) as caught:
        env.reset(options={"program": Program("broken", content)})
    assert caught.value.code == "INVALID_PROGRAM"
    with pytest.raises(ResetNeededError):
        env.step(0)
    assert play(env, always(0))[1]


def test_requests_that_cannot_be_met_leave_the_session_as_it_was(make: Make) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    env.step(1)
    before = env.observe("ir", "decisions")
    for request in (env.observe, env.measure):
        with pytest.raises(ServiceError, match=r"'nonsuch'.*known") as caught:
            request("nonsuch")
        assert caught.value.code == "INVALID_ARGUMENT"
        assert not caught.value.session_ended
    with pytest.raises(ValueError, match=r"'nonsuch'.*assembly"):
        env.emit("nonsuch")
    assert env.observe("ir", "decisions") == before
    assert finish(env, always(0))[1]


def test_wrong_reset_options_leave_the_episode_as_it_was(make: Make) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    env.step(1)
    with pytest.raises(ValueError, match="nonsuch"):
        env.reset(options={"nonsuch": 1})
    with pytest.raises(ProgramError, match=r"'nonsuch'.*kernels/lz"):
        env.reset(options={"program": "nonsuch"})
    env.step(1)
    assert env.trajectory.actions == (1, 1)


def test_a_dropped_symbol_is_not_a_win(make: Make, small_c: Path) -> None:
    env = make(programs=small_c, pipeline="default<Oz>,internalize,globaldce")
    env.reset()
    with pytest.raises(ServiceError, match=r"'(alone|entry)'") as caught:
        finish(env, always(0))
    assert caught.value.code == "FAILED_PRECONDITION"
