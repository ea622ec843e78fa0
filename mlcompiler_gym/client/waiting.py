# SPDX-License-Identifier: Apache-2.0
"""Work that waits for a compiler, apart from how it is waited for.

Work is a generator. It yields what it waits for and is sent the reply; what it
returns is its result. Work itself neither sends nor receives, so one thread can
:func:`block` on it, and a poll loop can go on with many pieces of it in turn.
"""

from __future__ import annotations

from collections.abc import Generator
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
