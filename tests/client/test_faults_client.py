# SPDX-License-Identifier: Apache-2.0
"""What befalls the client: no service, no room on the disk, no reader of its output."""

import errno
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.samples import CALLS, run_script

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import (
    MLCompilerGymError,
    ProgramError,
    ServiceUnavailableError,
)

pytestmark = pytest.mark.timeout(60)


# -- No service --------------------------------------------------------------


def unavailable(path: str | Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLCOMPILER_GYM_SERVICE", str(path))
    service = LocalService()
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError) as info:
        service.describe()
    assert time.monotonic() - began < 5
    service.close()
    assert str(path) in str(info.value)
    return str(info.value)


def test_no_such_executable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    message = unavailable(tmp_path / "none", monkeypatch)
    assert "MLCOMPILER_GYM_SERVICE" in message
    unavailable(tmp_path, monkeypatch)


def test_a_file_that_is_not_executable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "text"
    path.write_text("no program\n")
    assert "not an executable" in unavailable(path, monkeypatch)


def test_a_file_that_only_claims_to_be_executable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\x7fELF and nothing more")
    path.chmod(0o755)
    assert "cannot be started" in unavailable(path, monkeypatch)


@pytest.mark.parametrize("command", ["/bin/false", "/bin/true", "/bin/cat"])
@pytest.mark.parametrize("attempt", range(3))
def test_an_executable_of_somebody_else(
    monkeypatch: pytest.MonkeyPatch, command: str, attempt: int
) -> None:
    assert "--version" in unavailable(command, monkeypatch)


def test_what_the_loader_says_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As the loader ends a program on a system that lacks a library.
    executable = tmp_path / "service"
    library = "libabsent.so.7: cannot open shared object file"
    executable.write_text(f"#!/bin/sh\necho '{library}' >&2\nexit 127\n")
    executable.chmod(0o755)
    error = unavailable(str(executable), monkeypatch)
    assert "exit status 127" in error
    assert library in error


def test_a_service_that_comes_back(
    monkeypatch: pytest.MonkeyPatch, service: LocalService
) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_SERVICE", "/nonexistent")
    with pytest.raises(ServiceUnavailableError):
        service.describe()
    monkeypatch.delenv("MLCOMPILER_GYM_SERVICE")
    assert service.describe().tasks


# -- A full disk -------------------------------------------------------------


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond; Python ignores the signal and sees EFBIG."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_an_object_does_not_fit(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=CALLS)
    env.reset()
    with pytest.raises(MLCompilerGymError, match=r"/dev/full.*No space") as info:
        env.write("/dev/full")
    assert isinstance(info.value.__cause__, OSError)
    assert info.value.__cause__.errno == errno.ENOSPC
    assert Path("/dev/full").is_char_device()
    # The episode goes on.
    assert not any(env.step(0)[2:4])


def test_a_trajectory_does_not_fit(
    make: Callable[..., CompilerEnv], tmp_path: Path
) -> None:
    env = make(programs=CALLS)
    env.reset()
    env.step(1)
    path = tmp_path / "t.json"
    env.trajectory.save(path)
    old = path.read_text()
    env.step(1)
    with files_of_at_most(100), pytest.raises(MLCompilerGymError, match=str(path)):
        env.trajectory.save(path)
    assert path.read_text() == old
    assert os.listdir(tmp_path) == ["t.json"]
    assert not any(env.step(0)[2:4])


def test_compiling_needs_no_room_on_disk(
    make: Callable[..., CompilerEnv], small_c: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # /proc takes no files at all.
    monkeypatch.setenv("TMPDIR", "/proc")
    # Nor does starting the service, which the shared one has done long ago.
    with files_of_at_most(0), closing(LocalService()) as service:
        env = make(programs=small_c, service=service)
        env.reset()
        while not env.step(1)[2]:
            pass
        assert env.emit().startswith(b"\x7fELF")


def test_a_program_that_has_vanished(
    make: Callable[..., CompilerEnv], tmp_path: Path
) -> None:
    path = tmp_path / "gone.ll"
    path.write_bytes(CALLS.bitcode)
    env = make(programs=[CALLS, path])
    path.unlink()
    env.reset(options={"program": "calls"})
    with pytest.raises(ProgramError, match=str(path)):
        env.reset(options={"program": str(path)})
    env.reset(options={"program": "calls"})
    assert not any(env.step(0)[2:4])


# -- Nobody to read what LLVM prints -----------------------------------------

WARNING = """
from support.samples import CALLS, ir_program, run
from mlcompiler_gym import LocalService
odd = '@top(i32 %x) "target-features"="+x"'
text = CALLS.bitcode.decode().replace("@top(i32 %x)", odd)
print(len(run(LocalService(), ir_program(text)).features))
"""


def test_warnings_need_no_reader(tmp_path: Path) -> None:
    """As in `python train.py 2>&1 | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_script(tmp_path, WARNING, stderr=writer)
    finally:
        os.close(writer)
    assert done.stdout == "8\n"
