# SPDX-License-Identifier: Apache-2.0
"""Functions compiled one by one come from one optimised module, parked."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psutil
import pytest
from support.regalloc import Decision, answer_all, by_features, opening, two
from support.samples import (
    ENDLESS,
    SLOW,
    fails,
    inlining,
    receive_within,
    upload,
    wait_until,
)

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Session
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

TASK = "regalloc_eviction"
TWO = two()

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def service() -> Iterator[LocalService]:
    with closing(LocalService()) as service:
        yield service


def evicting(function: str, **fields: object) -> pb.Open:
    fields = {"park": True, "program_sha256": TWO.sha256, **fields}
    return opening(TASK, function=function, **fields)


def ancestors(session: Session) -> list[int]:
    """Processes that a session was forked from, the nursery last."""
    pids = [process.pid for process in psutil.Process(session.opened.pid).parents()]
    return pids[: pids.index(os.getpid())]


def result(session: Session) -> tuple[list[Decision], bytes]:
    """Every decision, and the code."""
    return answer_all(session, by_features(TASK)), session.emit("assembly")


def alone(function: str) -> tuple[list[Decision], bytes]:
    with (
        closing(LocalService("--parked-sessions=0")) as service,
        closing(service.open(evicting(function), TWO)) as session,
    ):
        return result(session)


def test_functions_share_an_optimised_module(service: LocalService) -> None:
    with ExitStack() as stack:

        def opened(request: pb.Open) -> Session:
            return stack.enter_context(closing(service.open(request, TWO)))

        first = opened(evicting("first"))
        _, module, nursery = ancestors(first)
        assert nursery == service.pid
        second = opened(evicting("second"))
        assert ancestors(second)[1:] == [module, nursery]
        again = opened(evicting("second"))
        assert ancestors(again) == ancestors(second)
        assert (first.opened.from_parked, second.opened.from_parked) == (False, False)
        assert again.opened.from_parked
        # The heuristic compiler's, which leaves nothing behind.
        pipeline = service.describe_task(TASK, {}).default_pipeline
        baseline = pb.Open(function="first", pipeline=pipeline)
        assert ancestors(opened(baseline)) == [module, nursery]
        other = opened(evicting("first", cpu="skylake"))
        assert module not in ancestors(other)
        assert result(first) == alone("first")
        assert result(second) == result(again) == alone("second")


def test_without_parking_no_module_is_kept(service: LocalService) -> None:
    for _ in range(2):
        with closing(service.open(evicting("first", park=False), TWO)) as session:
            assert ancestors(session) == [service.pid]


def test_tasks_that_decide_in_the_pipeline_share_none(service: LocalService) -> None:
    # Parked, each by itself: what is asked about may depend on anything.
    sessions = [
        service.open(inlining(park=True, function=name), TWO)
        for name in ("first", "second")
    ]
    parked = [ancestors(session)[0] for session in sessions]
    assert len(set(parked)) == 2
    for session in sessions:
        assert ancestors(session)[1:] == [service.pid]
        session.close()


def test_clients_that_wait_for_the_module(service: LocalService) -> None:
    with closing(service.connect()) as uploader:
        upload(uploader, TWO)
    # The same module after a while.
    slow = "function(" + "gvn,instcombine,simplifycfg," * 300 + "sroa),default<O2>"
    names = ["first", "second", "second", "first", "second"]
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(service.connect())) for _ in names]
        for stream, name in zip(streams, names, strict=True):
            request = pb.Request(open=evicting(name, pipeline=slow))
            stream.send(request.SerializeToString())
        for stream, name in zip(streams, names, strict=True):
            stream.opened = receive_within(stream, 30).open
            assert stream.opened.state.function == name
        assert len({tuple(ancestors(stream)[-2:]) for stream in streams}) == 1
        results = [result(stream) for stream in streams]
    assert results[0] == results[3]
    assert results[1] == results[2] == results[4]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_module_is_killed(service: LocalService, number: signal.Signals) -> None:
    with closing(service.open(evicting("first"), TWO)) as first:
        module = ancestors(first)[-2]
        os.kill(module, number)
        with closing(service.open(evicting("second"), TWO)) as second:
            assert module not in ancestors(second)
            assert result(second) == alone("second")
        with closing(service.open(evicting("first"), TWO)) as again:
            assert again.opened.from_parked
            assert result(first) == result(again) == alone("first")


def test_what_goes_wrong_before_and_after(service: LocalService) -> None:
    limits = pb.Limits(deadline_ms=1500)
    endless = ENDLESS.partition(",")[2]  # without the inliner
    for _ in range(2):
        with fails("DEADLINE_EXCEEDED", "1500 ms", ended=True):
            service.open(evicting("any", pipeline=endless, limits=limits), SLOW)
        with fails("INVALID_ARGUMENT", "no-such-pass", ended=True):
            service.open(evicting("first", pipeline="no-such-pass"), TWO)
        with fails("INVALID_ARGUMENT", "nowhere", "second", ended=True):
            service.open(evicting("nowhere"), TWO)
        with fails("INVALID_ARGUMENT", "beauty", ended=True):
            service.open(evicting("first", objectives=["beauty"]), TWO)
        with fails("INVALID_ARGUMENT", "no_such_option", ended=True):
            option = pb.Option(name="no_such_option", value="1")
            service.open(evicting("first", options=[option]), TWO)
    with closing(service.open(evicting("first"), TWO)) as session:
        assert result(session) == alone("first")


def test_modules_are_bounded_like_what_is_parked() -> None:
    with closing(LocalService("--parked-sessions=1")) as service:
        for name in ("first", "second", "first"):
            with closing(service.open(evicting(name), TWO)) as session:
                assert result(session) == alone(name)
        nursery = psutil.Process(service.pid)
        wait_until(lambda: len(nursery.children(recursive=True)) == 1, "one is parked")
