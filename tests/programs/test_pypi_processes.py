# SPDX-License-Identifier: Apache-2.0
"""Interruptions at any moment, and several processes at once."""

import multiprocessing
import os
import resource
import signal
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil
import pytest
from support.processes import wait_until
from support.pypi_index import Repository, clang, fetch, runs, slow_clang

from mlcompiler_gym.programs.pypi.cache import Cache
from mlcompiler_gym.programs.pypi.errors import CacheError
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.pip_config import PipConfig
from mlcompiler_gym.programs.pypi.report import FetchReport
from mlcompiler_gym.programs.pypi.toolchain import Toolchain

_SPAWN = multiprocessing.get_context("spawn")


class Bench:
    """Two packages of three programs each, and a cache to fetch them into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        repository = Repository(folder / "index")
        self.packages = [repository.add("demo"), repository.add("more")]
        self.hashes = repository.hashes(*self.packages)
        self.cache = folder / "cache"
        self._url = repository.url

    def fetch(self, toolchain: Toolchain, jobs: int = 1) -> FetchReport:
        index = Index(PipConfig(indexes=(self._url,)))
        return fetch(self.cache, self.packages, self.hashes, index, toolchain, jobs)

    def start(self, toolchain: Toolchain, jobs: int = 1) -> SpawnProcess:
        process = _SPAWN.Process(target=self.fetch, args=(toolchain, jobs))
        process.start()
        return process

    def programs(self) -> list[str]:
        return sorted(path.name for path in self.cache.rglob("*.bc"))

    def leftovers(self) -> list[Path]:
        """Whatever has no place in a cache that no process is filling."""
        return [
            path
            for path in self.cache.rglob("*")
            if path.suffix in (".partial", ".work")
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_it_goes_on_after_kill_9(bench: Bench) -> None:
    slow = slow_clang(bench.folder, 0.3)
    process = bench.start(slow)
    assert wait_until(lambda: len(bench.programs()) >= 2, 60)
    process.kill()
    process.join()
    done = len(bench.programs())
    assert 2 <= done < 6
    before = runs(bench.folder)
    # A compiler that was under way may still note that it runs.
    report = bench.fetch(slow_clang(bench.folder, 0))
    assert (report.compiled, report.present) == (6 - done, done)
    assert report.failures == []
    assert runs(bench.folder) <= before + 6 - done + 1
    assert len(bench.programs()) == 6
    assert bench.leftovers() == []


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_killed_at_any_moment(bench: Bench, delay: float) -> None:
    process = bench.start(clang())
    assert wait_until(lambda: bench.cache.exists(), 60)
    time.sleep(delay)
    process.kill()
    process.join()
    report = bench.fetch(clang())
    assert report.failures == []
    assert report.compiled + report.present == 6
    assert bench.leftovers() == []


def test_ctrl_c_stops_at_once_and_leaves_no_process(bench: Bench) -> None:
    process = bench.start(slow_clang(bench.folder, 0), jobs=2)
    endless = bench.folder / "slow-clang"
    endless.write_text(f'#!/bin/sh\necho run >> "{bench.folder}/runs"\nexec sleep 99\n')
    assert wait_until(lambda: runs(bench.folder) >= 2, 60)
    assert process.pid
    compilers = psutil.Process(process.pid).children(recursive=True)
    start = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert time.monotonic() - start < 5
    assert process.exitcode == 1
    sleeping = [one for one in compilers if one.is_running()]
    assert wait_until(lambda: not any(one.is_running() for one in sleeping))
    assert bench.fetch(clang()).failures == []
    assert len(bench.programs()) == 6


def test_two_processes_share_the_work(bench: Bench) -> None:
    slow = slow_clang(bench.folder, 0.2)
    processes = [bench.start(slow) for _ in range(2)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(bench.programs()) == 6
    assert runs(bench.folder) == 6, "a program was compiled twice"
    assert bench.leftovers() == []


def test_the_second_process_waits_for_the_first(bench: Bench) -> None:
    bench.packages.pop()
    slow = slow_clang(bench.folder, 0.3)
    process = bench.start(slow)
    assert wait_until(lambda: runs(bench.folder) == 1, 60)
    report = bench.fetch(slow)
    process.join()
    assert runs(bench.folder) == 3
    assert report.compiled == 0
    assert report.present == 3


def limited(bench: Bench) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
    with pytest.raises(CacheError, match="File too large"):
        bench.fetch(clang())


def test_a_full_disk(bench: Bench) -> None:
    process = _SPAWN.Process(target=limited, args=(bench,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert "many.bc" not in bench.programs()
    assert bench.leftovers() == []
    report = bench.fetch(clang())
    assert report.failures == []
    assert len(bench.programs()) == 6


def test_a_finished_download_outlives_an_interruption(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def interrupted() -> None:
        with cache.workplace(tmp_path / "a") as work:
            (work / "done.whl").write_text("")
            (work / "half.whl.partial").write_text("")
            (work / "unpacked").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with cache.workplace(tmp_path / "a") as work:
        assert [path.name for path in work.iterdir()] == ["done.whl"]
    assert not work.exists()
