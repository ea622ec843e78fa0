# SPDX-License-Identifier: Apache-2.0
"""Open: what it refuses and how, parked sessions, deadlines and memory."""

import time
from typing import Any

import pytest
from samples import (
    CALLS,
    ENDLESS,
    ENDLESS_PASS,
    NO_CALLS,
    SLOW,
    Run,
    alternate,
    assert_over,
    calls_ir,
    fails,
    finish,
    inlining,
    ir_program,
    pack,
    run,
    upload,
)

from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.service import Service, Session
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)

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
    any_service: Service, fields: dict[str, Any], code: str, words: list[str]
) -> None:
    request = inlining()
    # Not MergeFrom: it would add to the objectives.
    for name in fields:
        request.ClearField(name)  # type: ignore[arg-type]
    request.MergeFrom(pb.Open(**fields))
    with fails(code, *words) as caught:
        any_service.open(request, CALLS)
    assert caught[0].signal == ""
    assert run(any_service).object_code


def test_an_error_of_open_tells_whether_the_stream_goes_on(
    any_service: Service,
) -> None:
    stream = any_service.connect()
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


def test_without_a_task_a_pipeline_is_needed(any_service: Service) -> None:
    with fails("INVALID_ARGUMENT", "pipeline"):
        any_service.open(pb.Open(), CALLS)


def test_without_a_task_the_outcome_comes_at_once(any_service: Service) -> None:
    names = ["text_size", "ir_instructions", "text_size"]
    session = any_service.open(
        pb.Open(pipeline="default<Oz>", objectives=names), CALLS
    )
    state = session.opened.state
    assert not state.HasField("features")
    assert [m.objective for m in state.outcome.measurements] == names
    assert all(m.value > 0 for m in state.outcome.measurements)
    with fails("FAILED_PRECONDITION", ended=False):
        session.step(pack(0))
    session.close()


def test_a_program_without_decisions_is_finished_at_once(any_service: Service) -> None:
    session = any_service.open(inlining(), ir_program(NO_CALLS))
    assert session.opened.state.decisions == 0
    assert session.opened.state.HasField("outcome")
    assert session.emit("object").startswith(b"\x7fELF")
    session.close()


def test_observations_come_with_every_state_in_which_they_exist(
    any_service: Service,
) -> None:
    names = ["decision", "decisions"]
    session = any_service.open(inlining(observations=names), CALLS)
    state = session.opened.state
    while state.HasField("features"):
        assert [o.name for o in state.observations] == names
        assert '"callee"' in state.observations[0].text
        state = session.step(pack(0))
    assert [o.name for o in state.observations] == ["decisions"]
    session.close()


# -- Parked sessions ---------------------------------------------------------


def test_a_parked_reset_is_like_a_fresh_one(any_service: Service) -> None:
    runs: list[Run] = []
    parked = []
    for _ in range(4):
        session = any_service.open(inlining(park=True), CALLS)
        parked.append(session.opened.from_parked)
        runs.append(finish(session, session.opened.state, alternate))
        session.close()
    runs.append(run(any_service))
    assert parked == [False, True, True, True]
    assert len(set(runs)) == 1


def test_only_the_same_open_is_answered_from_a_parked_one(any_service: Service) -> None:
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
            session = any_service.open(request, CALLS)
            parked.append(session.opened.from_parked)
            session.close()
    assert parked == [True, True, True, True, False]


def test_a_finished_compile_is_parked_too(any_service: Service) -> None:
    for expected in (False, True):
        session = any_service.open(inlining(park=True), ir_program(NO_CALLS))
        assert session.opened.from_parked is expected
        assert session.opened.state.HasField("outcome")
        session.close()


@pytest.mark.parametrize("count", [2, 6])
def test_clients_that_open_the_same_program_at_once(
    any_service: Service, count: int
) -> None:
    expected = run(any_service)
    request = inlining(park=True, program_sha256=CALLS.sha256)
    streams = [start(any_service, request) for _ in range(count)]
    states = [stream.receive().open.state for stream in streams]
    for index in reversed(range(count)):
        assert finish(streams[index], states[index], alternate) == expected
        streams[index].close()


def test_requests_sent_behind_an_open_reach_the_parked_session(
    any_service: Service,
) -> None:
    request = inlining(park=True, program_sha256=CALLS.sha256)
    run(any_service, park=True)
    stream = start(any_service, request)
    for action in range(8):
        step = pb.Request(step=pb.Step(actions=pack(alternate(action))))
        stream.send(step.SerializeToString())
    assert stream.receive().open.from_parked
    states = [stream.receive().step for _ in range(8)]
    assert [state.decisions for state in states] == list(range(1, 9))
    assert stream.emit() == run(any_service).object_code
    stream.close()


@pytest.mark.parametrize("kilobytes", [70, 300])
def test_an_open_with_a_long_pipeline_can_be_parked(
    any_service: Service, kilobytes: int
) -> None:
    passes = "verify," * (kilobytes * 1000 // 7) + "default<Oz>"
    request = inlining(park=True, pipeline=passes)
    request.limits.deadline_ms = 20_000
    for _ in range(3):
        session = any_service.open(request, CALLS)
        assert finish(session, session.opened.state, alternate) == run(any_service)
        session.close()


# -- Limits ------------------------------------------------------------------


@pytest.mark.parametrize("park", [False, True])
def test_the_deadline_of_open_holds_for_every_request(
    any_service: Service, park: bool
) -> None:
    request = inlining(
        pipeline=ENDLESS, park=park, limits=pb.Limits(deadline_ms=1500)
    )
    for _ in range(2):
        session = any_service.open(request, SLOW)
        began = time.monotonic()
        with fails("DEADLINE_EXCEEDED", "1500 ms", ENDLESS_PASS, ended=True) as caught:
            session.step(pack(*[0] * 8))
        assert ENDLESS_PASS in caught[0].pass_name
        assert 1.4 < time.monotonic() - began < 5


@pytest.mark.parametrize("limit", [0, 40_000, 30])
def test_the_deadline_of_a_request_replaces_that_of_open(
    any_service: Service, limit: int
) -> None:
    upload(any_service.connect(), SLOW)
    stream = any_service.connect()
    request = inlining(
        pipeline="inliner-wrapper",
        program_sha256=SLOW.sha256,
        limits=pb.Limits(deadline_ms=limit),
    )
    # Reading the program takes longer than the shortest of the limits.
    stream.call(pb.Request(open=request, deadline_ms=30_000))
    began = time.monotonic()
    slow = ",".join(["slsr"] * 1500)
    request.pipeline = f"inliner-wrapper,function({slow})"
    stream.close()
    stream = any_service.connect()
    stream.call(pb.Request(open=request, deadline_ms=30_000))
    step = pb.Request(step=pb.Step(actions=pack(*[0] * 8)), deadline_ms=500)
    with fails("DEADLINE_EXCEEDED", "500 ms", ended=True):
        stream.call(step)
    assert time.monotonic() - began < 10


def test_waiting_between_requests_takes_no_time_of_the_deadline(
    any_service: Service,
) -> None:
    session = any_service.open(inlining(limits=pb.Limits(deadline_ms=400)), CALLS)
    time.sleep(0.6)
    state = session.step(pack(0))
    time.sleep(0.6)
    assert finish(session, state, lambda _: 0).object_code
    session.close()


def test_the_deadline_of_an_open_that_waits_for_anothers(any_service: Service) -> None:
    upload(any_service.connect(), SLOW)
    # No inliner, so the first decision never comes.
    request = inlining(
        pipeline=ENDLESS.partition(",")[2], program_sha256=SLOW.sha256, park=True
    )
    first = start(any_service, request)
    second = any_service.connect()
    # The bound of the test itself, should the service not keep the deadline.
    second.set_deadline(1)
    began = time.monotonic()
    with fails("DEADLINE_EXCEEDED", "300 ms", ended=True):
        second.call(pb.Request(open=request, deadline_ms=300))
    assert time.monotonic() - began < 10
    first.close()


def test_an_open_that_runs_out_of_time_does_not_take_others_with_it(
    any_service: Service,
) -> None:
    upload(any_service.connect(), CALLS)
    slow = ir_program(calls_ir(60), "more")
    upload(any_service.connect(), slow)
    request = inlining(park=True, program_sha256=slow.sha256)
    hasty = any_service.connect()
    hasty.send(pb.Request(open=request, deadline_ms=1).SerializeToString())
    patient = start(any_service, request)
    assert patient.receive().open.state.HasField("features")
    patient.close()
    with fails("DEADLINE_EXCEEDED", "1 ms"):
        hasty.receive()


@pytest.mark.parametrize("memory", [1, 20 << 20])
def test_memory_limit(any_service: Service, memory: int) -> None:
    def compile_slow() -> None:
        limits = pb.Limits(memory_bytes=memory)
        session = any_service.open(inlining(limits=limits), SLOW)
        session.step(pack(*[0] * 8))

    with fails("OUT_OF_MEMORY", "memory limit", ended=True):
        compile_slow()


def test_a_sufficient_memory_limit_changes_nothing(any_service: Service) -> None:
    limits = pb.Limits(memory_bytes=1 << 30)
    assert run(any_service, limits=limits) == run(any_service)


def test_errors_of_a_session_are_pickled_whole(any_service: Service) -> None:
    import pickle

    with pytest.raises(ServiceError) as info:
        any_service.open(inlining(pipeline="trigger-crash-module"), CALLS)
    copy = pickle.loads(pickle.dumps(info.value))
    assert vars(copy) == vars(info.value)
    assert copy.signal == "SIGABRT"
    assert copy.pass_name == "TriggerCrashModulePass"
