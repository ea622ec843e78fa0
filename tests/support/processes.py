# SPDX-License-Identifier: Apache-2.0
"""The processes of a service, and waiting for what nothing announces."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil


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
