# SPDX-License-Identifier: Apache-2.0
"""One environment of several: what it does, and what it waits for."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic
from typing import Any

from gymnasium.utils import seeding

from mlcompiler_gym.client import Session, Wait, Work
from mlcompiler_gym.envs.engine import Engine, Stats
from mlcompiler_gym.envs.observer import Row, View
from mlcompiler_gym.envs.setup import Setup


class Slot:
    """One environment: its engine, the work under way, and what came of it.

    Work that is under way waits for a reply on the descriptor ``waiting``. When
    ``waiting`` is None, the result is there to be taken.
    """

    def __init__(self, setup: Setup, stats: Stats, row: Row) -> None:
        self.engine = Engine(setup, stats, View(setup.features, row))
        self.rng, _ = seeding.np_random(None)
        self._result: Any = None
        self.waiting: int | None = None
        #: When to wait no longer, in seconds of the monotonic clock.
        self.until = math.inf
        self._work: Work[Any] | None = None
        self._session: Session | None = None

    @property
    def over(self) -> bool:
        """Whether the episode has ended and the next has not begun."""
        return self.engine.episode is None or self.engine.episode.done

    def start(self, work: Work[Any]) -> None:
        """Do some work, up to where it waits first."""
        self._work = work
        self._go_on(work.send, None)

    def advance(self) -> None:
        """Take the reply that has arrived, and go on to where the work waits next."""
        assert self._session is not None
        assert self._work is not None
        try:
            reply = self._session.receive()
        except Exception as error:
            self._go_on(self._work.throw, error)
        else:
            self._go_on(self._work.send, reply)

    def give_up(self) -> None:
        """Wait no longer: ``until`` has passed."""
        assert self._session is not None
        assert self._work is not None
        self._go_on(self._work.throw, self._session.overdue())

    def _go_on(self, go_on: Callable[[Any], Wait], what: Any) -> None:
        try:
            while True:
                session, requests = go_on(what)
                try:
                    self._wait_on(session)
                    for request in requests:
                        session.send(request)
                    return
                except Exception as error:
                    assert self._work is not None
                    go_on, what = self._work.throw, error
        except StopIteration as end:
            self._work = self._session = self.waiting = None
            self._result = end.value
        except BaseException:
            self._end()
            raise

    def _wait_on(self, session: Session) -> None:
        self._session = session
        self.waiting = session.fileno()
        patience = session.patience
        self.until = math.inf if patience is None else monotonic() + patience

    def _end(self) -> None:
        if self._work is not None:
            self._work.close()
        self._work = self._session = self.waiting = None

    def take_result(self) -> Any:
        """What came of the work, once."""
        result, self._result = self._result, None
        return result

    def close(self) -> None:
        """End whatever is under way."""
        self._end()
        self.engine.close()
        self._result = None
