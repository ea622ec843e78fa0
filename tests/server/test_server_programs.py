# SPDX-License-Identifier: Apache-2.0
"""The programs that a server keeps, and for whom."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.samples import CALLS, fails, inlining

from mlcompiler_gym.client import Service
from mlcompiler_gym.server import Server
from mlcompiler_gym.server.programs import ProgramFolder
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

A, B, C, D = (bytes([letter]) * 10 for letter in b"abcd")
ME, OTHER = "one client", "another"


def sha(program: bytes) -> bytes:
    return hashlib.sha256(program).digest()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file can grow beyond so many bytes, as where the disk is full."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_program_is_its_clients_alone(tmp_path: Path) -> None:
    programs = ProgramFolder(tmp_path, 1000)
    assert programs.put(ME, A) == sha(A)
    assert programs.has(ME, sha(A))
    assert programs.get(ME, sha(A)) == A
    assert not programs.has(OTHER, sha(A))
    assert programs.get(OTHER, sha(A)) is None
    # The same bytes are stored once, however many upload them.
    assert programs.put(OTHER, A) == programs.put(ME, A) == sha(A)
    assert programs.get(OTHER, sha(A)) == A
    assert programs.size == 10
    assert len({path.stat().st_ino for path in files(tmp_path)}) == 1


@pytest.mark.parametrize("damage", [b"", A[:5], A + b"a", B])
def test_a_program_that_has_changed_is_not_given_out(
    tmp_path: Path, damage: bytes
) -> None:
    programs = ProgramFolder(tmp_path, 1000)
    programs.put(ME, A)
    [path] = files(tmp_path)
    path.write_bytes(damage)
    assert programs.get(ME, sha(A)) is None
    assert not files(tmp_path)
    assert programs.size == 0
    programs.put(ME, A)
    assert programs.get(ME, sha(A)) == A


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("capacity", "count"), [(30, 100), (1000, 3)])
def test_what_was_used_longest_ago_goes_first(
    tmp_path: Path, capacity: int, count: int, restart: bool
) -> None:
    programs = ProgramFolder(tmp_path, capacity, count)
    for index, program in enumerate((A, B, C)):
        programs.put(ME, program)
        os.utime(next(tmp_path.glob(f"*/{sha(program).hex()}")), (index, index))
    programs.get(ME, sha(A))
    if restart:
        programs = ProgramFolder(tmp_path, capacity, count)
    programs.put(OTHER, D)
    assert [programs.has(ME, sha(p)) for p in (A, B, C)] == [True, False, True]
    programs.put(ME, B)
    assert [programs.has(ME, sha(p)) for p in (A, B, C)] == [True, True, False]
    assert programs.size == 30
    assert len(files(tmp_path)) == 3


def test_what_is_too_large_for_all_is_refused_and_nothing_else_goes(
    tmp_path: Path,
) -> None:
    programs = ProgramFolder(tmp_path, 30)
    programs.put(ME, A)
    with pytest.raises(OSError, match="30 bytes"):
        programs.put(ME, bytes(31))
    assert programs.get(ME, sha(A)) == A


def test_an_upload_does_not_look_through_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = ProgramFolder(tmp_path, 1 << 20, count=3)

    def look(*_: object) -> None:
        raise AssertionError("it looks through the folder")

    for name in ("scandir", "listdir", "walk"):
        monkeypatch.setattr(os, name, look)
    for index in range(5):
        programs.put(ME, b"%d" % index)
        programs.get(ME, sha(b"%d" % index))
    assert programs.size == 3


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    programs = ProgramFolder(tmp_path, 1 << 20)
    programs.put(ME, A)
    with full_disk(5000), pytest.raises(OSError, match="File too large"):
        programs.put(ME, bytes(9000))
    assert len(files(tmp_path)) == 1
    assert programs.size == 10
    programs.put(ME, bytes(9000))
    assert programs.get(ME, sha(bytes(9000))) == bytes(9000)


def test_files_of_a_server_that_was_killed_are_removed(tmp_path: Path) -> None:
    ProgramFolder(tmp_path, 1000).put(ME, A)
    [path] = files(tmp_path)
    path.with_name(f".{path.name}.00.partial").write_bytes(b"half")
    path.with_name("notes").write_bytes(b"of the administrator's")
    programs = ProgramFolder(tmp_path, 1000)
    assert programs.get(ME, sha(A)) == A
    assert programs.size == 10
    assert {path.name for path in files(tmp_path)} == {path.name, "notes"}


def test_an_upload_that_cannot_be_stored_is_refused_alone(
    server: Server, grpc_service: Service
) -> None:
    session = grpc_service.open(inlining(), CALLS)
    upload = pb.Request(upload=pb.Upload(program=bytes(200_000)))
    stream = grpc_service.connect()
    with full_disk(100_000), fails("RESOURCE_EXHAUSTED", "cannot be stored"):
        stream.call(upload)
    # Neither this stream nor another session is the worse for it.
    assert stream.call(upload).upload.sha256 == sha(bytes(200_000))
    assert session.measure(["text_size"])
    for each in (stream, session):
        each.close()
    assert server.hub.programs.size == len(CALLS.bitcode) + 200_000


def test_uploaded_bytes_are_counted(server: Server, grpc_service: Service) -> None:
    stream = grpc_service.connect()
    for size in (7, 1000, 1000, 150_000):
        stream.call(pb.Request(upload=pb.Upload(program=bytes(size))))
    stream.close()
    value = server.hub.metrics.registry.get_sample_value
    assert value("mlcompiler_gym_upload_bytes_total") == 152_007
    assert value("mlcompiler_gym_program_bytes") == 151_007
