# SPDX-License-Identifier: Apache-2.0
"""The processes of a service, and waiting for what nothing announces."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from mlcompiler_gym.errors import ErrorCode

T = TypeVar("T")

#: What can happen to a copy, and what is said of it then: parameters of a test.
HARMS = pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda copy: copy.send_signal(signal.SIGSEGV), ErrorCode.CRASHED),
        (lambda copy: copy.kill(), ErrorCode.CRASHED),
        (
            lambda copy: copy.rlimit(resource.RLIMIT_DATA, (1, 1)),
            ErrorCode.OUT_OF_MEMORY,
        ),
    ],
    ids=["crash", "kill", "memory"],
)


def processes_of(service_pid: int) -> list[int]:
    """The service's processes; each service leads a process session of its own."""
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == service_pid:
                status = psutil.Process(pid).status()
                if status != psutil.STATUS_ZOMBIE:
                    found.append(pid)
        except (ProcessLookupError, psutil.NoSuchProcess, PermissionError):
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def copies(session_pid: int) -> list[psutil.Process]:
    """The copies that a session has made of itself and waits for."""
    # As the kernel lists them: psutil looks at every process of the machine, which
    # takes as long as a copy does.
    found = []
    path = Path(f"/proc/{session_pid}/task/{session_pid}/children")
    for each in path.read_text().split():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(each)))
    return found


def with_first_copy(
    session_pid: int, do: Callable[[psutil.Process], None], call: Callable[[], T]
) -> T:
    """The result of a call, meanwhile something is done to the session's first copy."""
    # One that has reported may not have ended yet.
    assert wait_until(lambda: not copies(session_pid))
    seen = threading.Event()

    def watch() -> None:
        found: list[psutil.Process] = []
        while not found and not seen.is_set():
            found = copies(session_pid)
        for each in found[:1]:
            do(each)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        return call()
    finally:
        seen.set()
        watching.join()
