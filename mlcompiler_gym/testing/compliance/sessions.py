# SPDX-License-Identifier: Apache-2.0
"""What any transport owes its client once a session is open."""

import json
import re
import struct
from contextlib import closing
from typing import Any

import pytest

from mlcompiler_gym.client import Service
from mlcompiler_gym.testing.samples import (
    CALLS,
    alternate,
    assert_over,
    fails,
    finish,
    inlining,
    pack,
    run,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

DECISIONS = 8


# -- Step --------------------------------------------------------------------


def test_steps_count_the_decisions(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        assert session.opened.state.decisions == 0
        for taken in range(1, DECISIONS):
            state = session.step(pack(0))
            assert state.decisions == taken
            assert state.HasField("features")
            assert not state.HasField("outcome")
        state = session.step(pack(0))
        assert state.decisions == DECISIONS
        assert not state.HasField("features")
        assert [m.objective for m in state.outcome.measurements] == ["text_size"]


def test_several_actions_in_one_request(service_under_test: Service) -> None:
    expected = run(service_under_test)
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        state = session.step(pack(*expected.actions[:3]))
        assert state.decisions == 3
        assert state.features == expected.features[3]
        state = session.step(pack(*expected.actions[3:]))
        assert state.decisions == DECISIONS
        assert session.emit() == expected.object_code


def test_actions_beyond_the_end_are_not_taken(service_under_test: Service) -> None:
    expected = run(service_under_test)
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        state = session.step(pack(*expected.actions, 1, 1, 1))
        assert state.decisions == DECISIONS
        assert state.HasField("outcome")
        assert len(json.loads(session.observe("decisions")["decisions"])) == DECISIONS
        assert session.emit() == expected.object_code


def test_the_decisions_taken_are_told(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        session.step(pack(1, 0, 1))
        taken = json.loads(session.observe("decisions")["decisions"])
    assert [struct.unpack("<q", bytes.fromhex(action)) for _, action in taken] == [
        (1,),
        (0,),
        (1,),
    ]
    assert all(re.fullmatch(r"leaf\d -> top", label) for label, _ in taken)


def test_a_step_after_the_outcome(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        done = finish(session, session.opened.state, alternate)
        for _ in range(2):
            with fails("FAILED_PRECONDITION", "finished", ended=False):
                session.step(pack(0))
        assert session.emit() == done.object_code


@pytest.mark.parametrize(
    ("actions", "word"),
    [
        (b"\0", "8 bytes"),
        (pack(0) + b"\0\0\0\0", "8 bytes"),
        (pack(2), "0..1"),
        (pack(-1), "0..1"),
        (pack(2**62), "0..1"),
        (pack(0, 0, 7), "action 7"),
    ],
    ids=["short", "one-and-a-half", "2", "-1", "huge", "third"],
)
def test_an_illegal_action_is_not_taken(
    service_under_test: Service, actions: bytes, word: str
) -> None:
    expected = run(service_under_test)
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        with fails("INVALID_ACTION", word, ended=False):
            session.step(actions)
        assert finish(session, session.opened.state, alternate) == expected


def test_a_step_without_actions_tells_the_state(service_under_test: Service) -> None:
    expected = run(service_under_test)
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        assert session.step(b"") == session.opened.state
        state = session.step(pack(0))
        assert session.step(b"") == state
        session.step(pack(*[0] * 100))
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        session.step(b"")
        assert finish(session, session.opened.state, alternate) == expected


# -- Observe, Measure, Emit --------------------------------------------------


def test_looking_does_not_disturb(service_under_test: Service) -> None:
    expected = run(service_under_test)
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        state = session.opened.state
        while state.HasField("features"):
            assert state.features == expected.features[state.decisions]
            texts = session.observe("ir", "decision", "decisions")
            assert "define i32 @top" in texts["ir"]
            assert set(json.loads(texts["decision"])) >= {"caller", "callee"}
            values = session.measure(["ir_instructions", "text_size"])
            assert list(values) == ["ir_instructions", "text_size"]
            assert session.emit("object").startswith(b"\x7fELF")
            assert b".text" in session.emit("assembly")
            assert session.emit("bitcode").startswith(b"BC\xc0\xde")
            state = session.step(pack(alternate(state.decisions)))
        assert session.emit("object") == expected.object_code


def test_what_is_seen_follows_the_compile(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        before = session.emit("object"), session.observe("ir")
        assert (session.emit("object"), session.observe("ir")) == before
        session.step(pack(1, 1))
        assert session.emit("object") != before[0]
        assert session.observe("ir") != before[1]


def test_looking_after_the_end(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        state = session.step(pack(*[1] * DECISIONS))
        value = state.outcome.measurements[0].value
        assert session.measure(["text_size"]) == {"text_size": value}
        assert "define" in session.observe("ir")["ir"]
        with fails("FAILED_PRECONDITION", "'decision'", "stopped", ended=False):
            session.observe("ir", "decision")
        # A fresh compile of the result has nothing left to inline.
        assert session.emit("bitcode") == session.emit("bitcode")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            pb.Request(observe=pb.Observe(names=["ir", "smell"])),
            ["'smell'", "decision", "decisions", "ir"],
        ),
        (
            pb.Request(measure=pb.Measure(objectives=["text_size", "beauty"])),
            ["'beauty'", "ir_instructions", "text_size"],
        ),
        (pb.Request(emit=pb.Emit()), ["format"]),
        (pb.Request(), ["empty"]),
    ],
    ids=["observe", "measure", "emit", "empty"],
)
def test_a_request_that_cannot_work_changes_nothing(
    service_under_test: Service, request_: pb.Request, words: list[str]
) -> None:
    expected = run(service_under_test)
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        state = session.step(pack(alternate(0)))
        with fails("INVALID_ARGUMENT", *words, ended=False):
            session.call(request_)
        rest = finish(session, state, alternate)
    assert rest.object_code == expected.object_code


def test_an_unknown_format_is_refused(service_under_test: Service) -> None:
    # A client of a later version of the protocol may ask for one.
    request = pb.Request.FromString(b"\x42\x02\x08\x63")
    assert request.emit.format == 99
    with (
        closing(service_under_test.open(inlining(), CALLS)) as session,
        fails("INVALID_ARGUMENT", "format", ended=False),
    ):
        session.call(request)


def test_asking_for_nothing_gives_nothing(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        assert session.observe() == {}
        assert session.measure([]) == {}


# -- What belongs before Open ------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"open": inlining(program_sha256=CALLS.sha256)},
        {"describe": pb.Describe()},
        {"upload": pb.Upload(program=b"x")},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_session_is_opened_once(
    service_under_test: Service, fields: dict[str, Any]
) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        for _ in range(2):
            with fails("FAILED_PRECONDITION", "open", ended=False):
                session.call(pb.Request(**fields))
        assert finish(session, session.opened.state, alternate) == run(
            service_under_test
        )


# -- Fork and Close ----------------------------------------------------------


def test_a_fork_goes_its_own_way(service_under_test: Service) -> None:
    inlined = run(service_under_test, policy=lambda _: 1)
    kept = run(service_under_test, policy=lambda _: 0)
    assert inlined.object_code != kept.object_code
    with (
        closing(service_under_test.open(inlining(), CALLS)) as session,
        closing(session.fork()) as twin,
    ):
        state = session.opened.state
        assert finish(twin, state, lambda _: 1) == inlined
        assert finish(session, state, lambda _: 0) == kept


def test_forks_of_forks_at_every_decision(service_under_test: Service) -> None:
    expected = run(service_under_test)
    line = [service_under_test.open(inlining(), CALLS)]
    states = [line[0].opened.state]
    for index in range(DECISIONS):
        line.append(line[-1].fork())
        states.append(line[-1].step(pack(alternate(index))))
    # Each stands where it was left, however old it is.
    for session, state in zip(line, states, strict=True):
        assert finish(session, state, alternate).object_code == expected.object_code
        session.close()


def test_a_fork_outlives_its_original(service_under_test: Service) -> None:
    session = service_under_test.open(inlining(), CALLS)
    with closing(session.fork()) as twin:
        session.close()
        assert finish(twin, session.opened.state, alternate) == run(service_under_test)


def test_a_fork_of_a_finished_session(service_under_test: Service) -> None:
    with closing(service_under_test.open(inlining(), CALLS)) as session:
        done = finish(session, session.opened.state, alternate)
        with closing(session.fork()) as twin:
            with fails("FAILED_PRECONDITION"):
                twin.step(pack(0))
            assert twin.emit() == done.object_code


def test_a_fork_of_a_parked_session_and_its_deadline(
    service_under_test: Service,
) -> None:
    limits = pb.Limits(deadline_ms=20_000)
    for _ in range(2):
        with (
            closing(
                service_under_test.open(inlining(park=True, limits=limits), CALLS)
            ) as session,
            closing(session.fork()) as twin,
        ):
            state = session.opened.state
            assert finish(twin, state, alternate) == run(service_under_test)


def test_close_is_answered_and_ends_the_stream(service_under_test: Service) -> None:
    session = service_under_test.open(inlining(), CALLS)
    assert session.call(pb.Request(close=pb.Close())).HasField("close")
    assert_over(session)


def test_a_closed_session_says_so(service_under_test: Service) -> None:
    session = service_under_test.open(inlining(), CALLS)
    session.close()
    session.close()
    with fails("SESSION_LOST", "closed", ended=True):
        session.step(pack(0))
    with fails("SESSION_LOST", "closed", ended=True):
        session.fork()


def test_what_is_no_message_ends_only_this_session(service_under_test: Service) -> None:
    session = service_under_test.open(inlining(), CALLS)
    with closing(session.fork()) as twin:
        with fails("MALFORMED_REQUEST", ended=True):
            session.send(b"\xff\xff\xff")
            session.receive()
        assert finish(twin, session.opened.state, alternate) == run(service_under_test)
