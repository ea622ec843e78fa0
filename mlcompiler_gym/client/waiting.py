# SPDX-License-Identifier: Apache-2.0
"""Work that waits for a compiler, apart from how it is waited for.

Work is a generator. It yields what it waits for and is sent the reply; what it
returns is its result. Work itself neither sends nor receives, so one thread can
:func:`block` on it, and a poll loop can go on with many pieces of it in turn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from mlcompiler_gym.v1 import compiler_service_pb2 as pb

if TYPE_CHECKING:
    from mlcompiler_gym.client.session import Session

ResultT = TypeVar("ResultT")

#: A session and the serialised requests to send to it, in order; then one reply is
#: waited for. A plain tuple, because one is made at each step.
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
        # Unless the work has ended by itself, this was interrupted.
        work.close()
        raise


def block_together(works: Iterable[Work[ResultT]]) -> list[ResultT]:
    """Do several pieces of work, each with a session of its own, at the same time.

    Each session computes while the replies of others are waited for. An error that
    some work raises ends all of it.
    """
    all_work = list(works)
    results: dict[int, ResultT] = {}
    waiting: dict[int, Session] = {}

    def go_on(number: int, wait: Callable[[], Wait]) -> None:
        try:
            session, requests = wait()
        except StopIteration as end:
            waiting.pop(number, None)
            results[number] = end.value
            return
        waiting[number] = session
        try:
            for request in requests:
                session.send(request)
        except Exception as error:
            failed = error
            go_on(number, lambda: all_work[number].throw(failed))

    try:
        for number, work in enumerate(all_work):
            go_on(number, functools.partial(next, work))
        while waiting:
            for number, session in list(waiting.items()):
                work = all_work[number]
                try:
                    reply = session.receive()
                except Exception as error:
                    go_on(number, functools.partial(work.throw, error))
                else:
                    go_on(number, functools.partial(work.send, reply))
    except BaseException:
        for work in all_work:
            work.close()
        raise
    return [results[number] for number in range(len(all_work))]
