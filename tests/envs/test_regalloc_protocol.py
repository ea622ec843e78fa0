# SPDX-License-Identifier: Apache-2.0
"""Sessions that stand in the middle of code generation."""

import json
import os
import signal
import struct
from contextlib import closing

import numpy as np
import pytest
from support.regalloc import (
    EVICTION,
    IDS,
    TWO,
    MakeEnv,
    answer_all,
    by_features,
    check_ends_as_replayed,
    ir,
    legal_actions,
    legal_at_random,
    opening,
    pressure,
)
from support.samples import fails
from support.toolchain import finish, play

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Service
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

TASKS = ["regalloc_eviction", "regalloc_priority"]


def pack(task: str, *actions: float) -> bytes:
    if task == "regalloc_priority":
        return np.array(actions, "<f4").tobytes()
    return np.array(actions, "<i8").tobytes()


def whole(service: Service, task: str) -> tuple[list[bytes], bytes]:
    """The actions of a compile that answers by what it sees, and its object."""
    with closing(service.open(opening(task), TWO)) as session:
        taken = answer_all(session, by_features(task))
        return [decision.action for decision in taken], session.emit()


@pytest.mark.parametrize("task", TASKS)
def test_several_actions_in_one_request(any_service: Service, task: str) -> None:
    actions, code = whole(any_service, task)
    with closing(any_service.open(opening(task), TWO)) as session:
        state = session.step(b"".join(actions[:20]))
        assert state.decisions == 20
        assert state.HasField("features")
        # Beyond the end none are taken.
        state = session.step(b"".join(actions[20:] + actions))
        assert state.decisions == len(actions)
        assert state.HasField("outcome")
        assert session.emit() == code


def test_a_later_action_that_is_illegal(any_service: Service) -> None:
    """Those before it are taken; whether it is legal shows only then."""
    task = "regalloc_eviction"
    actions, code = whole(any_service, task)
    with closing(any_service.open(opening(task), TWO)) as session:
        state = session.step(b"".join(actions[:5]))
        [illegal, *_] = set(range(33)) - set(legal_actions(state.features))
    with closing(any_service.open(opening(task), TWO)) as session:
        tail = pack(task, illegal) + b"".join(actions[5:])
        with fails("INVALID_ACTION", f"{illegal} is not legal", ended=False) as caught:
            session.step(b"".join(actions[:5]) + tail)
        legal = ", ".join(map(str, legal_actions(state.features)))
        assert caught[0].message.endswith(f"legal are: {legal}")
        # Nothing behind it was taken, and the session stands before it.
        now = session.step(b"")
        assert now.decisions == 5
        assert now.features == state.features
        assert session.step(b"".join(actions[5:])).HasField("outcome")
        assert session.emit() == code


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (struct.pack("<qq", 32, 33), ["33", "0..32"]),
        (struct.pack("<q", -1), ["-1", "0..32"]),
        (struct.pack("<q", 2**62), ["0..32"]),
        (struct.pack("<qi", 32, 1), ["8 bytes"]),
        (b"\0", ["8 bytes"]),
    ],
    ids=["later", "negative", "huge", "one-and-a-half", "short"],
)
def test_actions_that_are_none_take_nothing(
    any_service: Service, actions: bytes, words: list[str]
) -> None:
    request = opening("regalloc_eviction")
    with closing(any_service.open(request, TWO)) as session:
        before = session.observe("decision", "decisions")
        with fails("INVALID_ACTION", *words, ended=False):
            session.step(actions)
        assert session.observe("decision", "decisions") == before
        assert session.step(b"").decisions == 0


@pytest.mark.parametrize("task", TASKS)
def test_what_needs_the_code_waits_for_it(any_service: Service, task: str) -> None:
    actions, code = whole(any_service, task)
    with closing(any_service.open(opening(task), TWO)) as session:
        session.step(b"".join(actions[:30]))
        before = session.observe("decision", "decisions", "mir", "ir")
        for _ in range(2):
            for kind in ("object", "assembly"):
                with fails("FAILED_PRECONDITION", "decisions", ended=False):
                    session.emit(kind)
            for objective in ("regalloc_score", "text_size"):
                with fails("FAILED_PRECONDITION", "decisions", ended=False):
                    session.measure([objective])
        # The IR is there all the while.
        assert session.emit("bitcode")[:4] == b"BC\xc0\xde"
        assert session.measure(["ir_instructions"])["ir_instructions"] > 50
        assert session.observe("decision", "decisions", "mir", "ir") == before
        session.step(b"".join(actions[30:]))
        assert session.emit() == code
        assert session.measure(["regalloc_score"])["regalloc_score"] > 0
        with fails("FAILED_PRECONDITION", "finished", ended=False):
            session.step(actions[0])
        with fails("FAILED_PRECONDITION", "decision", ended=False):
            session.observe("mir")


@pytest.mark.parametrize("task", TASKS)
def test_observations_come_with_the_states(any_service: Service, task: str) -> None:
    request = opening(task, observations=["decision", "mir"])
    with closing(any_service.open(request, TWO)) as session:
        state = session.opened.state
        while state.HasField("features"):
            named = {o.name: o.text for o in state.observations}
            decision = json.loads(named["decision"])
            assert decision["function"] == state.function
            assert f"function {state.function}:" in named["mir"]
            state = session.step(by_features(task)(state.features))
        assert not state.observations


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("option", "value"), [("nonsuch", "true"), ("", "maybe"), ("", "")]
)
def test_wrong_options_are_named(
    service: LocalService, task: str, option: str, value: str
) -> None:
    default = task.removeprefix("regalloc_") + "_default"
    request = opening(task)
    request.options.add(name=option or default, value=value)
    with fails("INVALID_ARGUMENT", option or default, ended=True):
        service.open(request, TWO)


# -- Faults -------------------------------------------------------------------


@pytest.mark.parametrize("env_id", IDS)
def test_a_session_that_is_killed(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id, programs=TWO)
    env.reset()
    choose = legal_at_random(env, 0)
    for _ in range(10):
        env.step(choose(None))
    twin = env.fork()
    os.kill(env.session.opened.pid, signal.SIGKILL)
    observation, reward, terminated, truncated, info = env.step(choose(None))
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["error_code"] == "SESSION_LOST"
    assert observation in env.observation_space
    if env_id == EVICTION:
        assert info["action_mask"].all()
    assert env.stats.crashes == 1
    finish(twin, legal_at_random(twin, 1))
    check_ends_as_replayed(twin)
    twin.close()
    assert play(env, legal_at_random(env, 2))[1]


@pytest.mark.parametrize("task", TASKS)
def test_a_deadline_within_code_generation(service: LocalService, task: str) -> None:
    big = ir(pressure("big", 600), "big")
    with closing(service.open(opening(task), big)) as session:
        twin = session.fork()
        # Repeats the legal first answer; there is far more to do than fits in.
        first = by_features(task)(session.opened.state.features)
        actions = first if task == "regalloc_eviction" else first * 100_000
        request = pb.Request(step=pb.Step(actions=actions), deadline_ms=1)
        with fails("DEADLINE_EXCEEDED", ended=True) as caught:
            while True:
                state = session.call(request).step
                answer = by_features(task)(state.features)
                request.step.actions = answer
        assert caught[0].pass_name == "code generation"
        # Its twin has all the time that it needs.
        with closing(twin):
            assert twin.step(first).decisions == 1
