# SPDX-License-Identifier: Apache-2.0
"""Deadlines, memory limits and what their errors carry."""

import pickle
import time
from contextlib import closing

import pytest

from mlcompiler_gym.client import Service
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.testing.samples import (
    CALLS,
    ENDLESS,
    ENDLESS_PASS,
    SLOW,
    calls_ir,
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


@pytest.mark.parametrize("park", [False, True])
def test_the_deadline_of_open_holds_for_every_request(
    service_under_test: Service, park: bool
) -> None:
    request = inlining(pipeline=ENDLESS, park=park, limits=pb.Limits(deadline_ms=1500))
    for _ in range(2):
        session = service_under_test.open(request, SLOW)
        began = time.monotonic()
        with fails("DEADLINE_EXCEEDED", "1500 ms", ENDLESS_PASS, ended=True) as caught:
            session.step(pack(*[0] * 8))
        assert ENDLESS_PASS in caught[0].pass_name
        assert 1.4 < time.monotonic() - began < 5


@pytest.mark.parametrize("limit", [0, 40_000, 30])
def test_the_deadline_of_a_request_replaces_that_of_open(
    service_under_test: Service, limit: int
) -> None:
    request = inlining(
        pipeline=ENDLESS,
        program_sha256=SLOW.sha256,
        limits=pb.Limits(deadline_ms=limit),
    )
    with closing(service_under_test.connect()) as stream:
        upload(stream, SLOW)
        # To read the program takes longer than the shortest of the limits.
        stream.call(pb.Request(open=request, deadline_ms=30_000))
        began = time.monotonic()
        step = pb.Request(step=pb.Step(actions=pack(*[0] * 8)), deadline_ms=500)
        with fails("DEADLINE_EXCEEDED", "500 ms", ended=True):
            stream.call(step)
    assert 0.4 < time.monotonic() - began < 5


def test_waiting_between_requests_takes_no_time_of_the_deadline(
    service_under_test: Service,
) -> None:
    session = service_under_test.open(
        inlining(limits=pb.Limits(deadline_ms=400)), CALLS
    )
    time.sleep(0.6)
    state = session.step(pack(0))
    time.sleep(0.6)
    assert finish(session, state, lambda _: 0).object_code
    session.close()


def test_the_deadline_of_an_open_that_waits_for_anothers(
    service_under_test: Service,
) -> None:
    # No inliner, so the first decision never comes.
    request = inlining(
        pipeline=ENDLESS.partition(",")[2], program_sha256=SLOW.sha256, park=True
    )
    with (
        closing(service_under_test.connect()) as uploader,
        closing(service_under_test.connect()) as first,
        closing(service_under_test.connect()) as second,
    ):
        upload(uploader, SLOW)
        first.send(pb.Request(open=request).SerializeToString())
        time.sleep(0.2)
        hasty = pb.Request(open=request, deadline_ms=300)
        second.send(hasty.SerializeToString())
        with fails("DEADLINE_EXCEEDED", "300 ms", ended=True):
            receive_within(second, 3)


def test_an_open_that_runs_out_of_time_does_not_take_others_with_it(
    service_under_test: Service,
) -> None:
    slow = ir_program(calls_ir(60), "more")
    with closing(service_under_test.connect()) as uploader:
        upload(uploader, slow)
    request = inlining(park=True, program_sha256=slow.sha256)
    hasty = service_under_test.connect()
    hasty.send(pb.Request(open=request, deadline_ms=1).SerializeToString())
    patient = service_under_test.connect()
    patient.send(pb.Request(open=request).SerializeToString())
    assert patient.receive().open.state.HasField("features")
    patient.close()
    with fails("DEADLINE_EXCEEDED", "1 ms"):
        hasty.receive()


@pytest.mark.parametrize("memory", [1, 20 << 20])
def test_memory_limit(service_under_test: Service, memory: int) -> None:
    def compile_slow() -> None:
        limits = pb.Limits(memory_bytes=memory)
        session = service_under_test.open(inlining(limits=limits), SLOW)
        session.step(pack(*[0] * 8))

    with fails("OUT_OF_MEMORY", "memory limit", ended=True):
        compile_slow()


def test_a_sufficient_memory_limit_changes_nothing(service_under_test: Service) -> None:
    limits = pb.Limits(memory_bytes=1 << 30)
    assert run(service_under_test, limits=limits) == run(service_under_test)


def test_errors_of_a_session_are_pickled_whole(service_under_test: Service) -> None:
    with pytest.raises(ServiceError) as info:
        service_under_test.open(inlining(pipeline="trigger-crash-module"), CALLS)
    copy = pickle.loads(pickle.dumps(info.value))
    assert vars(copy) == vars(info.value)
    assert copy.signal == "SIGABRT"
    assert copy.pass_name == "TriggerCrashModulePass"
