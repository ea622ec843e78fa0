# SPDX-License-Identifier: Apache-2.0
"""Work that waits for a compiler, apart from how it is waited for.

Work is a generator. It yields what it waits for and is sent the reply; what it
returns is its result. Work itself neither sends nor receives, so one thread can
:func:`block` on it, and a poll loop can go on with many pieces of it in turn.
"""

from __future__ import annotations

import math
import select
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

if TYPE_CHECKING:
    from mlcompiler_gym.client.session import Session

ResultT = TypeVar("ResultT")

#: How many pieces of work may be begun, or done and not taken, for each that may run.
_AHEAD = 4

#: A session and the serialised requests to send to it, in order. Then one reply is
#: awaited. It is a plain tuple, because one is made at each step.
Wait: TypeAlias = "tuple[Session, tuple[bytes, ...]]"

#: Waits until it returns a result. Where there is no reply, the error is raised at
#: the ``yield``.
Work: TypeAlias = Generator[Wait, pb.Reply, ResultT]


def block(work: Work[ResultT]) -> ResultT:
    """Do some work in this thread, which sleeps wherever the work waits.

    An error of a session goes to the work. An interruption, such as Ctrl-C, ends
    the work where it waits.
    """
    try:
        session, requests = next(work)
        while True:
            try:
                for request in requests:
                    session.send(request)
                reply = session.receive()
            except Exception as error:
                session, requests = work.throw(error)
            else:
                session, requests = work.send(reply)
    except StopIteration as end:
        result: ResultT = end.value
        return result
    except BaseException:
        # The work may have been interrupted, and must then be closed.
        work.close()
        raise


class _Job(Generic[ResultT]):
    """A piece of work that is under way: what it waits on, or what came of it."""

    def __init__(self, work: Work[ResultT]) -> None:
        self._work = work
        #: What it waits on; None: it has ended.
        self.session: Session | None = None
        #: When to wait no longer, in seconds of the monotonic clock.
        self.until = math.inf
        self.outcome: ResultT | MLCompilerGymError | None = None
        self._go_on(work.send, None)

    def advance(self, session: Session, *, overdue: bool) -> None:
        """Take the reply, or say that there is none."""
        try:
            if overdue:
                raise session.overdue()
            reply = session.receive()
        except Exception as error:
            self._go_on(self._work.throw, error)
        else:
            self._go_on(self._work.send, reply)

    def _go_on(self, go_on: Callable[[Any], Wait], what: Any) -> None:
        self.session = None
        try:
            while True:
                session, requests = go_on(what)
                try:
                    for request in requests:
                        session.send(request)
                    break
                except Exception as error:
                    go_on, what = self._work.throw, error
        except StopIteration as end:
            self.outcome = end.value
            return
        except MLCompilerGymError as error:
            self.outcome = error
            return
        self.session = session
        patience = session.patience
        self.until = math.inf if patience is None else monotonic() + patience

    def close(self) -> None:
        self._work.close()


def in_order(
    works: Iterable[Work[ResultT]], at_once: int
) -> Iterator[ResultT | MLCompilerGymError]:
    """Do pieces of work, each with sessions of its own, several at the same time.

    Args:
        works: Each is begun when there is room for it.
        at_once: How many wait at the same time.

    Yields:
        What came of each, in their order: the result, or the error that it raised.
    """
    todo, jobs = iter(works), deque[_Job[ResultT]]()
    try:
        while True:
            while sum(j.session is not None for j in jobs) < at_once:
                # If one takes long, others must not pile up behind it.
                work = next(todo, None) if len(jobs) < _AHEAD * at_once else None
                if work is None:
                    break
                jobs.append(_Job(work))
            if not jobs:
                return
            if jobs[0].session is None:
                outcome = jobs.popleft().outcome
                yield outcome  # type: ignore[misc]  # It has ended.
            else:
                _take_replies(jobs)
    finally:
        for job in jobs:
            job.close()


def _take_replies(jobs: Iterable[_Job[Any]]) -> None:
    """Wait until some have theirs, or are overdue."""
    poll = select.poll()
    waiting = {job.session.fileno(): job for job in jobs if job.session is not None}
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    until = min(job.until for job in waiting.values())
    patience = None if until == math.inf else max(0.0, until - monotonic()) * 1000
    arrived = [descriptor for descriptor, _ in poll.poll(patience)]
    now = monotonic()
    for descriptor, job in waiting.items():
        overdue = not arrived and job.until <= now
        if job.session is not None and (overdue or descriptor in arrived):
            job.advance(job.session, overdue=overdue)
