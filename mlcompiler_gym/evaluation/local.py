# SPDX-License-Identifier: Apache-2.0
"""Episodes in processes of this machine."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.plan import (
    EpisodePlan,
    EpisodePlayer,
    Job,
    Result,
)
from mlcompiler_gym.programs import Program

#: Pools that may break one after the other without an episode between them.
_POOLS = 3

#: What this process plays with, if it is one of the pool's.
_player: EpisodePlayer


class LocalPlayers:
    """A pool of processes, each with a compiler service of its own.

    Args:
        job: What is done.
        workers: Processes; 1: it is done in this one.
    """

    def __init__(self, job: Job, workers: int = 1) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._job = job
        self._workers = workers

    def play(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        """Play all episodes; results come as they are done.

        Raises:
            EvaluationError: The processes are killed again and again.
        """
        if self._workers == 1:
            yield from self._play_here(plans)
            return
        left = iter(plans)
        broken = 0
        while True:
            taken: list[EpisodePlan] = []
            try:
                for result, plan in self._play_in_pool(left, taken):
                    broken = 0
                    taken.remove(plan)
                    yield result
                return
            except BrokenProcessPool as error:
                broken += 1
                if broken == _POOLS:
                    raise EvaluationError(
                        "the processes that play are killed, from outside or for want "
                        "of memory; take fewer of them, and go on with the same file"
                    ) from error
                # What was under way is played again, in a new pool.
                left = itertools.chain(taken, left)

    def _play_here(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        player = self._job.make_player()
        try:
            for plan in plans:
                yield player.play(plan.program, plan.seed)
        finally:
            player.close()

    def _play_in_pool(
        self, plans: Iterator[EpisodePlan], taken: list[EpisodePlan]
    ) -> Iterator[tuple[Result, EpisodePlan]]:
        """Play in one pool; what is taken of the plans is noted first."""
        executor = ProcessPoolExecutor(
            self._workers,
            # A fork of this process would have its threads' locks, and no threads.
            multiprocessing.get_context("forkserver"),
            _begin,
            (self._job,),
        )
        running: dict[Future[Result], EpisodePlan] = {}

        def submit(count: int) -> None:
            for plan in itertools.islice(plans, count):
                taken.append(plan)
                running[executor.submit(_play, plan.program, plan.seed)] = plan

        try:
            # Programs may be large, so only as many are submitted as keep all workers
            # busy.
            submit(2 * self._workers)
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                # Episodes that were played come before errors, which may say that
                # the pool is broken.
                for future in sorted(done, key=lambda each: bool(each.exception())):
                    yield future.result(), running.pop(future)
                submit(len(done))
        finally:
            executor.shutdown(cancel_futures=True)


def _begin(job: Job) -> None:
    global _player
    # Ctrl-C goes to all processes, but only the one that the user started reports it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _player = job.make_player()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _play(program: Program, seed: int) -> Result:
    return _player.play(program, seed)
