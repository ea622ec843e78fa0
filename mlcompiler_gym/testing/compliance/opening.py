# SPDX-License-Identifier: Apache-2.0
"""Open: what it refuses and how, parked sessions, deadlines and memory."""

from contextlib import closing
from typing import Any

import pytest

from mlcompiler_gym.client import Service, Session
from mlcompiler_gym.testing.samples import (
    CALLS,
    NO_CALLS,
    Run,
    alternate,
    assert_over,
    fails,
    finish,
    inlining,
    ir_program,
    pack,
    receive_within,
    run,
    upload,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

OPTION = pb.Option


def start(service: Service, request: pb.Open) -> Session:
    """Send the Open of a program that the service holds; do not wait."""
    stream = service.connect()
    stream.send(pb.Request(open=request).SerializeToString())
    return stream


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"task": "outlining"}, "INVALID_ARGUMENT", ["'outlining'", "inlining"]),
        (
            {"options": [OPTION(name="speed", value="1")]},
            "INVALID_ARGUMENT",
            ["'speed'", "inlining_default", "size_increase_threshold"],
        ),
        (
            {"options": [OPTION(name="inlining_default", value="maybe")]},
            "INVALID_ARGUMENT",
            ["inlining_default", "'maybe'", "true or false"],
        ),
        (
            {"options": [OPTION(name="size_increase_threshold", value="big")]},
            "INVALID_ARGUMENT",
            ["'big'"],
        ),
        (
            {"objectives": ["beauty"]},
            "INVALID_ARGUMENT",
            ["'beauty'", "ir_instructions", "text_size"],
        ),
        (
            {"observations": ["smell"]},
            "INVALID_ARGUMENT",
            ["'smell'", "decision", "ir"],
        ),
        (
            {"pipeline": "default<Oz>,no-such-pass"},
            "INVALID_ARGUMENT",
            ["no-such-pass"],
        ),
        ({"pipeline": "default<"}, "INVALID_ARGUMENT", ["default<"]),
        (
            {"target_triple": "riscv64-unknown-linux-gnu"},
            "INVALID_ARGUMENT",
            ["riscv64", "architecture"],
        ),
        ({"target_triple": "\0"}, "INVALID_ARGUMENT", ["target"]),
        ({"cpu": "pentium-9000"}, "INVALID_ARGUMENT", ["pentium-9000"]),
        # A cpu that exists and cannot run 64-bit code: LLVM stops itself.
        ({"cpu": "i386"}, "CRASHED", ["64-bit"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_open_refuses(
    service_under_test: Service, fields: dict[str, Any], code: str, words: list[str]
) -> None:
    request = inlining()
    # Not MergeFrom: it would add to the objectives.
    for name in fields:
        request.ClearField(name)
    request.MergeFrom(pb.Open(**fields))
    with fails(code, *words) as caught:
        service_under_test.open(request, CALLS)
    assert caught[0].signal == ""
    assert run(service_under_test).object_code


def test_an_error_of_open_tells_whether_the_stream_goes_on(
    service_under_test: Service,
) -> None:
    stream = service_under_test.connect()
    upload(stream, CALLS)
    request = pb.Request(open=pb.Open(task="x", program_sha256=CALLS.sha256))
    with fails("INVALID_ARGUMENT") as caught:
        stream.call(request)
    if caught[0].session_ended:
        assert_over(stream)
    else:
        request.open.task = "inlining"
        assert stream.call(request).HasField("open")
        stream.close()


def test_without_a_task_a_pipeline_is_needed(service_under_test: Service) -> None:
    with fails("INVALID_ARGUMENT", "pipeline"):
        service_under_test.open(pb.Open(), CALLS)


def test_without_a_task_the_outcome_comes_at_once(service_under_test: Service) -> None:
    names = ["text_size", "ir_instructions", "text_size"]
    session = service_under_test.open(
        pb.Open(pipeline="default<Oz>", objectives=names), CALLS
    )
    state = session.opened.state
    assert not state.HasField("features")
    assert [m.objective for m in state.outcome.measurements] == names
    assert all(m.value > 0 for m in state.outcome.measurements)
    with fails("FAILED_PRECONDITION", ended=False):
        session.step(pack(0))
    session.close()


def test_a_program_without_decisions_is_finished_at_once(
    service_under_test: Service,
) -> None:
    session = service_under_test.open(inlining(), ir_program(NO_CALLS))
    assert session.opened.state.decisions == 0
    assert session.opened.state.HasField("outcome")
    assert session.emit("object").startswith(b"\x7fELF")
    session.close()


def test_observations_come_with_every_state_in_which_they_exist(
    service_under_test: Service,
) -> None:
    names = ["decision", "decisions"]
    session = service_under_test.open(inlining(observations=names), CALLS)
    state = session.opened.state
    while state.HasField("features"):
        assert [o.name for o in state.observations] == names
        assert '"callee"' in state.observations[0].text
        state = session.step(pack(0))
    assert [o.name for o in state.observations] == ["decisions"]
    session.close()


# -- Parked sessions ---------------------------------------------------------


def test_a_parked_reset_is_like_a_fresh_one(service_under_test: Service) -> None:
    runs: list[Run] = []
    parked = []
    for _ in range(4):
        session = service_under_test.open(inlining(park=True), CALLS)
        parked.append(session.opened.from_parked)
        runs.append(finish(session, session.opened.state, alternate))
        session.close()
    runs.append(run(service_under_test))
    assert parked == [False, True, True, True]
    assert len(set(runs)) == 1


def test_only_the_same_open_is_answered_from_a_parked_one(
    service_under_test: Service,
) -> None:
    requests = [
        inlining(park=True),
        inlining(park=True, cpu="skylake"),
        inlining(park=True, observations=["decision"]),
        inlining(park=True, limits=pb.Limits(deadline_ms=50_000)),
        inlining(park=False),
    ]
    for _ in range(2):
        parked = []
        for request in requests:
            session = service_under_test.open(request, CALLS)
            parked.append(session.opened.from_parked)
            session.close()
    assert parked == [True, True, True, True, False]


def test_a_finished_compile_is_parked_too(service_under_test: Service) -> None:
    for expected in (False, True):
        session = service_under_test.open(inlining(park=True), ir_program(NO_CALLS))
        assert session.opened.from_parked is expected
        assert session.opened.state.HasField("outcome")
        session.close()


@pytest.mark.parametrize("count", [2, 6])
def test_clients_that_open_the_same_program_at_once(
    service_under_test: Service, count: int
) -> None:
    expected = run(service_under_test)
    request = inlining(park=True, program_sha256=CALLS.sha256)
    streams = [start(service_under_test, request) for _ in range(count)]
    states = [receive_within(stream, 20).open.state for stream in streams]
    for index in reversed(range(count)):
        assert finish(streams[index], states[index], alternate) == expected
        streams[index].close()


def test_requests_sent_behind_an_open_reach_the_parked_session(
    service_under_test: Service,
) -> None:
    request = inlining(park=True, program_sha256=CALLS.sha256)
    run(service_under_test, park=True)
    stream = start(service_under_test, request)
    for action in range(8):
        step = pb.Request(step=pb.Step(actions=pack(alternate(action))))
        stream.send(step.SerializeToString())
    assert stream.receive().open.from_parked
    states = [stream.receive().step for _ in range(8)]
    assert [state.decisions for state in states] == list(range(1, 9))
    assert stream.emit() == run(service_under_test).object_code
    stream.close()


@pytest.mark.parametrize("kilobytes", [70, 300])
def test_an_open_with_a_long_pipeline_can_be_parked(
    service_under_test: Service, kilobytes: int
) -> None:
    passes = "verify," * (kilobytes * 1000 // 7) + "default<Oz>"
    request = inlining(park=True, pipeline=passes, program_sha256=CALLS.sha256)
    expected = run(service_under_test)
    for parked in (False, True, True):
        with closing(start(service_under_test, request)) as stream:
            opened = receive_within(stream, 10).open
            assert finish(stream, opened.state, alternate) == expected
            assert opened.from_parked is parked
