# SPDX-License-Identifier: Apache-2.0
"""Episodes on a cluster of Ray."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.cluster import connect
from mlcompiler_gym.evaluation.plan import EpisodePlan, Job, Result
from mlcompiler_gym.programs import Program

#: Workers that may fail to start, one after the other.
_STARTS = 5
#: Workers that an episode may be lost with.
_LOSSES = 5


class _Worker:
    """Plays in a process of the cluster."""

    def __init__(self, job: Job) -> None:
        self._player = job.make_player()

    def play(self, program: Program, seed: int) -> Result:
        return self._player.play(program, seed)


class RayPlayers:
    """Workers all over a cluster, each an actor with a compiler service of its own.

    When a node is lost, what its workers were at is played by others, and new
    workers are started where there is room. Programs travel with the episodes: the
    nodes need this package and nothing else.

    Args:
        job: What is done.
        workers: How many there are, a processor for each. ``None``: as many as the
            cluster has processors.
        address: Address of the cluster; see
            :func:`~mlcompiler_gym.evaluation.cluster.connect`.
        patience: Seconds to wait for a worker when there is none.

    Attributes:
        address: Address of the cluster.
        workers: How many workers there should be.
        lost: Episodes that were under way when their worker was lost.

    Raises:
        EvaluationError: There is no cluster.
    """

    def __init__(
        self,
        job: Job,
        workers: int | None = None,
        *,
        address: str | None = None,
        patience: float = 300.0,
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        # Imported here: it reads its settings from the environment as it is.
        ray = self._ray = connect(address)
        self.address = str(ray.get_runtime_context().gcs_address)
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.lost = 0
        self._patience = patience
        self._job = job
        # Ray's own restarts would wait for the place that a worker had. Instead, a lost
        # worker's episode goes to one of the others.
        self._class: Any = ray.remote(num_cpus=1, max_restarts=0)(_Worker).options(
            scheduling_strategy="SPREAD"
        )
        self._idle: list[Any] = []
        #: Workers that are starting, by the reference that will say that they are
        #: ready.
        self._starting: dict[Any, Any] = {}
        #: Workers and what they play, by the reference that will say that it is done.
        self._playing: dict[Any, tuple[Any, EpisodePlan]] = {}
        #: Episodes to be played again.
        self._again: deque[EpisodePlan] = deque()
        self._losses: Counter[int] = Counter()
        self._failed_starts = 0
        self._programs: dict[bytes, Any] = {}

    def play(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        """Play all episodes; results come in the order in which they are done.

        Raises:
            EvaluationError: There are no workers, or an episode is lost with every
                worker that plays it; all others have been played.
        """
        left = iter(plans)
        given_up: list[EpisodePlan] = []
        try:
            for _ in range(self.workers):
                self._start()
            while self._hand_out(left):
                done, _ = self._ray.wait(
                    [*self._playing, *self._starting], timeout=self._patience
                )
                for each in done:
                    if each in self._starting:
                        self._take_worker(each)
                    elif (result := self._take_result(each, given_up)) is not None:
                        yield result
                if not done and not self._playing:
                    raise EvaluationError(
                        f"no node of {self.address} has had a free processor for "
                        f"{self._patience:.0f} s; add nodes, and go on with the same "
                        "file"
                    )
        finally:
            for worker in self._all_workers():
                self._ray.kill(worker)
        if given_up:
            names = sorted({plan.program.name for plan in given_up})
            raise EvaluationError(
                f"{len(given_up)} episodes of {', '.join(names)} have each been lost "
                f"with {_LOSSES} workers; do they need more memory than there is?"
            )

    def _start(self) -> None:
        worker = self._class.remote(self._job)
        self._starting[worker.__ray_ready__.remote()] = worker

    def _hand_out(self, left: Iterator[EpisodePlan]) -> bool:
        """Give work to idle workers; False if all is done."""
        while self._idle:
            plan = self._again.popleft() if self._again else next(left, None)
            if plan is None:
                return bool(self._playing)
            worker = self._idle.pop()
            done = worker.play.remote(self._stored(plan), plan.seed)
            self._playing[done] = worker, plan
        return True

    def _stored(self, plan: EpisodePlan) -> Any:
        """The program, which travels to each node once."""
        digest = plan.program.sha256
        if digest not in self._programs:
            self._programs[digest] = self._ray.put(plan.program)
        return self._programs[digest]

    def _take_worker(self, ready: Any) -> None:
        worker = self._starting.pop(ready)
        try:
            self._ray.get(ready)
        except self._ray.exceptions.RayActorError as error:
            self._failed_starts += 1
            if self._failed_starts == _STARTS:
                raise EvaluationError(f"workers cannot be started: {error}") from error
            self._start()
        else:
            self._failed_starts = 0
            self._idle.append(worker)

    def _take_result(self, done: Any, given_up: list[EpisodePlan]) -> Result | None:
        worker, plan = self._playing.pop(done)
        try:
            result: Result = self._ray.get(done)
        except (
            self._ray.exceptions.RayActorError,
            self._ray.exceptions.ObjectLostError,
        ):
            # The worker, its node, or the way to it is gone.
            self._ray.kill(worker)
            self._start()
            self.lost += 1
            self._losses[id(plan)] += 1
            if self._losses[id(plan)] < _LOSSES:
                self._again.append(plan)
            else:
                given_up.append(plan)
            return None
        self._idle.append(worker)
        return result

    def _all_workers(self) -> list[Any]:
        playing = [worker for worker, _ in self._playing.values()]
        return [*self._idle, *self._starting.values(), *playing]
