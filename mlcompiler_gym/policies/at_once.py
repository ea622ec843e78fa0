# SPDX-License-Identifier: Apache-2.0
"""Compiles at the same time, in copies of one compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ResultT = TypeVar("ResultT")


def at_once(jobs: Sequence[Callable[[], ResultT]]) -> list[ResultT]:
    """Do jobs that wait for compilers, each in a thread of its own.

    Args:
        jobs: Each has a copy of the compile to itself.

    Returns:
        What they return, in their order.
    """
    if len(jobs) == 1:
        return [jobs[0]()]
    with ThreadPoolExecutor(max(len(jobs), 1)) as pool:
        return [each.result() for each in [pool.submit(job) for job in jobs]]
