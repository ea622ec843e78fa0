# SPDX-License-Identifier: Apache-2.0
"""The file of results takes nothing for its own that is not."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.journal import Journal
from mlcompiler_gym.evaluation.plan import Evaluation


def record(seed: int) -> dict[str, Any]:
    what = Evaluation("mlcompiler/Inlining-v0", "never").identity()
    here = {"llvm": "22", "program": "kernels/lz", "program_sha256": "00"}
    return {**what, **here, "seed": seed, "reward": 0.5}


def line(seed: int) -> bytes:
    return json.dumps(record(seed)).encode() + b"\n"


@pytest.mark.parametrize("before", [b"", line(0), line(0) + line(1)])
@pytest.mark.parametrize(
    "foreign",
    [
        b'{"my": "config"}',
        b'{"my": "config", "of": ',
        b'{"env": 7}',
        b'{"environment": "mlcompi',
        b"notes without a newline",
        b"\x7fELF\x00\x01\x02",
        b"\n",
        b"notes\nmore",
        b"[]\n",
        b"0",
    ],
)
def test_what_is_no_journal_is_left_as_it_is(
    tmp_path: Path, before: bytes, foreign: bytes
) -> None:
    path = tmp_path / "results"
    path.write_bytes(before + foreign)
    with pytest.raises(EvaluationError, match=r"is not an episode.*another file"):
        Journal(path)
    assert path.read_bytes() == before + foreign


@pytest.mark.parametrize("cut", [1, 9, 10, 40, -3, -2])
def test_a_line_that_was_being_written_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results"
    path.write_bytes(line(0) + line(1)[:cut])
    with Journal(path) as journal:
        journal.append(record(2))
    assert path.read_bytes() == line(0) + line(2)


def test_a_line_that_lacks_its_newline_alone_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.write_bytes(line(0) + line(1)[:-1])
    with Journal(path) as journal:
        assert len(journal.records) == 2
        journal.append(record(2))
    assert path.read_bytes() == line(0) + line(1) + line(2)


@pytest.mark.parametrize("kind", ["folder", "device"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path if kind == "folder" else Path("/dev/null")
    with pytest.raises(EvaluationError, match=str(path)):
        Journal(path)


def test_a_full_disk_costs_no_episode_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "results"
    # A limit on files' sizes refuses what a full disk does, in the middle of a line.
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Journal(path) as journal:
        journal.append(record(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(line(0)) + 20, old[1]))
        try:
            with pytest.raises(EvaluationError, match=r"cannot write.*goes on after"):
                journal.append(record(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
            signal.signal(signal.SIGXFSZ, ignored)
        assert path.read_bytes() == line(0)
        journal.append(record(1))
    assert path.read_bytes() == line(0) + line(1)
