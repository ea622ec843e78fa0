# SPDX-License-Identifier: Apache-2.0
"""From packages to bitcode in the cache: download, compile, check, store."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from mlcompiler_gym.errors import MissingLibraryError, ProgramError
from mlcompiler_gym.programs.progress import progress_bar
from mlcompiler_gym.programs.pypi.cache import Cache
from mlcompiler_gym.programs.pypi.compiler import Compiler
from mlcompiler_gym.programs.pypi.corpus import Package
from mlcompiler_gym.programs.pypi.errors import (
    CacheError,
    CompileError,
    DownloadError,
)
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.report import Failure, FetchReport
from mlcompiler_gym.programs.pypi.sources import Sources, Unit, open_sources
from mlcompiler_gym.programs.pypi.store import Shelf
from mlcompiler_gym.programs.pypi.toolchain import Toolchain

#: Seconds between looks at what another process is doing.
_POLL = 0.2


@dataclass
class _Job:
    """One package of which programs are missing."""

    package: Package
    shelf: Shelf
    #: SHA-256 that the bitcode has to have, by program.
    hashes: Mapping[str, str]
    #: Programs that are being compiled.
    waiting: int = 0
    failed: bool = False
    #: Lock and sources, let go when all is done.
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


class Fetcher:
    """Makes programs of several packages, once.

    Args:
        cache: Where to.
        index: Where from.
        toolchain: Yields the compiler; asked once, when something is missing.
        jobs: Files compiled at once.
        progress: Whether to show progress bars.
    """

    def __init__(
        self,
        cache: Cache,
        index: Index,
        toolchain: Callable[[], Toolchain],
        *,
        jobs: int,
        progress: bool,
    ) -> None:
        self._cache = cache
        self._index = index
        self._toolchain = toolchain
        self._jobs = jobs
        self._progress = progress
        self._report = FetchReport()
        self._running: dict[Future[None], tuple[_Job, Unit]] = {}

    def fetch(
        self,
        packages: Sequence[Package],
        variant: str,
        hashes: Mapping[str, Mapping[str, str]],
        *,
        verify: bool = False,
    ) -> FetchReport:
        """Make what is missing.

        Args:
            packages: The packages to fetch.
            variant: Architecture and level, for example ``"x86_64-Oz"``.
            hashes: By package, then by program: what its bitcode has to be.
            verify: Read what is there, rather than trust that it is what was stored.
        """
        queue = []
        for package in packages:
            shelf = Shelf(self._cache, package, variant)
            wanted = hashes.get(package.title, {})
            if not verify and shelf.is_complete(wanted):
                self._report.present += len(wanted)
            elif wanted:
                queue.append(_Job(package, shelf, wanted))
        if queue:
            self._work_off(queue, variant)
        return self._report

    def _work_off(self, queue: list[_Job], variant: str) -> None:
        compiler = Compiler(self._toolchain())
        total = sum(len(job.hashes) for job in queue)
        bar = progress_bar(total, variant, unit="program", enabled=self._progress)
        before = self._report.present
        pool = ThreadPoolExecutor(self._jobs)
        begun: list[_Job] = []
        try:
            while queue or self._running:
                job = self._next(queue)
                if job is not None:
                    begun.append(job)
                    self._begin(job, compiler, pool, variant)
                self._collect(_POLL if job is None else 0)
                done = self._report.compiled + self._report.present - before
                bar.update(done - bar.n)
        finally:
            compiler.stop()
            pool.shutdown(cancel_futures=True)
            for job in begun:
                job.held.close()
            bar.close()

    def _next(self, queue: list[_Job]) -> _Job | None:
        """A package that can be begun now; its lock is held."""
        if len(self._running) >= 2 * self._jobs:
            return None
        for job in queue:
            if self._lock(job):
                queue.remove(job)
                return job
        return None

    def _lock(self, job: _Job) -> bool:
        lock = self._cache.lock(job.shelf.package_folder)
        from filelock import Timeout

        with self._cache.errors():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
        job.held.callback(lock.release)
        return True

    def _begin(
        self, job: _Job, compiler: Compiler, pool: ThreadPoolExecutor, variant: str
    ) -> None:
        job.shelf.sweep()
        # Another process, or an earlier run, may have made some of them.
        missing = job.shelf.missing(job.hashes)
        self._report.present += len(job.hashes) - len(missing)
        if missing and (sources := self._open(job)):
            units = {unit.name: unit for unit in sources.units}
            for name in missing:
                if unit := units.get(name):
                    future = pool.submit(_make, compiler, sources, unit, variant, job)
                    self._running[future] = (job, unit)
                    job.waiting += 1
                else:
                    self._fail(job, name, "the package has no source of this name")
        self._end(job)

    def _open(self, job: _Job) -> Sources | None:
        try:
            with self._cache.errors():
                work = self._cache.workplace(job.shelf.package_folder)
                return open_sources(
                    job.package,
                    self._index,
                    job.held.enter_context(work),
                    progress=self._progress,
                )
        except (CacheError, MissingLibraryError):
            # Every other package would fail in the same way.
            raise
        except DownloadError as error:
            # A reason that several packages share is printed once.
            self._fail(job, job.package.title, error.why)
        except ProgramError as error:
            self._fail(job, job.package.title, str(error))
        return None

    def _collect(self, patience: float) -> None:
        if not self._running:
            # All that is left is in the hands of another process.
            time.sleep(patience)
            return
        done, _ = wait(self._running, patience, return_when=FIRST_COMPLETED)
        for future in done:
            job, unit = self._running.pop(future)
            job.waiting -= 1
            try:
                future.result()
                self._report.compiled += 1
            except CompileError as error:
                self._fail(job, unit.name, str(error))
            self._end(job)

    def _fail(self, job: _Job, name: str, reason: str) -> None:
        job.failed = True
        self._report.failures.append(Failure(name, reason))

    def _end(self, job: _Job) -> None:
        if job.waiting:
            return
        if not job.failed:
            job.shelf.stamp(job.hashes)
        job.held.close()


def _make(
    compiler: Compiler, sources: Sources, unit: Unit, variant: str, job: _Job
) -> None:
    bitcode = compiler.compile(sources, unit, variant)
    sha256 = hashlib.sha256(bitcode).hexdigest()
    wanted = job.hashes[unit.name]
    if sha256 != wanted:
        raise CompileError(
            f"HASH MISMATCH: its bitcode has sha256 {sha256}, and has to have "
            f"{wanted}; it was not kept, since results would not compare"
        )
    job.shelf.add(unit.name, bitcode)
