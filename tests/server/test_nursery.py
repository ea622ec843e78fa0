# SPDX-License-Identifier: Apache-2.0
"""Whether the process that sessions are forked from is asked, and what it says."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from support.processes import wait_until

from mlcompiler_gym import LocalService
from mlcompiler_gym.server import nursery as module
from mlcompiler_gym.server.nursery import Nursery

pytestmark = pytest.mark.timeout(60)


def test_it_is_asked_now_and_then(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.describe()
    connect, asked = service.connect_socket, 0

    def counted(**how: Any) -> Any:
        nonlocal asked
        asked += 1
        return connect(**how)

    monkeypatch.setattr(service, "connect_socket", counted)
    monkeypatch.setattr(module, "_BETWEEN", 3600.0)
    nursery = Nursery(service)
    assert all(nursery.ask() for _ in range(3))
    assert asked == 0
    monkeypatch.setattr(module, "_BETWEEN", 0.0)
    wait_until(lambda: nursery.ask() and asked >= 2)
    # Not again before it has answered.
    monkeypatch.setattr(module, "_BETWEEN", 3600.0)
    wait_until(lambda: nursery.ask() and nursery._asked is None)
    before = asked
    assert all(nursery.ask() for _ in range(3))
    assert asked == before


def fill(service: LocalService, held: ExitStack) -> None:
    """Connect for as long as the service's socket takes it."""
    with suppress(BlockingIOError):
        for _ in range(1000):
            held.enter_context(service.connect_socket(wait=False))
        pytest.fail("there is room without end")


def test_one_that_takes_nothing_more_is_not_waited_for(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.describe()
    assert service.pid is not None
    monkeypatch.setattr(module, "_BETWEEN", 0.0)
    nursery = Nursery(service)
    os.kill(service.pid, signal.SIGSTOP)
    with ExitStack() as held:
        held.callback(os.kill, service.pid, signal.SIGCONT)
        fill(service, held)
        assert not nursery.ask()
    assert wait_until(nursery.ask)
