# SPDX-License-Identifier: Apache-2.0
"""What befalls the client: no service, a full disk, fork and Ctrl-C."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from samples import CALLS, Sibling, fails

import mlcompiler_gym
from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import (
    MLCompilerGymError,
    ProgramError,
    ServiceUnavailableError,
)
from mlcompiler_gym.programs import Program

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
    with pytest.raises(OSError, match="space") as info:
        env.write("/dev/full")
    assert info.value.errno == errno.ENOSPC
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
    with files_of_at_most(0):
        env = make(programs=small_c, service=None)
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


# -- fork --------------------------------------------------------------------


def in_child(body: Callable[[], object]) -> None:
    """Run in a fork of this process; whatever it raises fails the test."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            body()
            code = 0
        finally:
            # Not sys.exit: the child must not run the rest of the tests.
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def play(env: CompilerEnv, first: int) -> bytes:
    for index in range(first, 8):
        result = env.step(index % 2)
    assert result[2]
    return env.emit()


def test_a_forked_client(
    service: LocalService, make: Callable[..., CompilerEnv]
) -> None:
    sibling = Sibling(service)
    env = make(programs=CALLS)
    env.reset()
    expected = play(env, 0)
    env.reset()
    env.step(0)

    def child() -> None:
        # The episode belongs to the parent.
        *_, truncated, info = env.step(1)
        assert truncated
        assert info["error_code"] == "SESSION_LOST"
        assert "forked" in info["error"]
        with fails("SESSION_LOST", "forked"):
            sibling.session.step(b"\0" * 8)
        # A new one is the child's.
        env.reset()
        assert play(env, 0) == expected
        env.close()

    in_child(child)
    in_child(env.close)
    in_child(service.describe)
    assert play(env, 1) == expected
    sibling.check()


def test_children_at_the_same_time(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=CALLS)
    env.reset()
    expected = play(env, 0)
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for _ in range(5):
                    env.reset()
                    assert play(env, 0) == expected
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    env.reset()
    assert play(env, 0) == expected


def script(tmp_path: Path, text: str) -> str:
    """Run a script of its own; what it prints."""
    path = tmp_path / "script.py"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=50,
        # A process group of its own, for signals as a terminal sends them.
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PREAMBLE = """
import os, signal, sys, threading, time
import gymnasium, mlcompiler_gym
from samples import CALLS, wait_until
env = gymnasium.make("mlcompiler/Inlining-v0", programs=CALLS).unwrapped
service = mlcompiler_gym.LocalService.shared()
env.reset()
"""


def test_a_forked_child_that_exits_leaves_the_parents_service(tmp_path: Path) -> None:
    # With everything that the interpreter does at its end.
    output = script(
        tmp_path,
        PREAMBLE
        + """
service_pid = service.pid
if os.fork() == 0:
    env.reset()
    sys.exit()
assert os.wait()[1] == 0
for index in range(8):
    result = env.step(0)
assert result[2], result
env.reset()
assert service.pid == service_pid
print("done")
""",
    )
    assert output == "done\n"


# -- Ctrl-C ------------------------------------------------------------------

INTERRUPT = (
    PREAMBLE
    + """
def interrupt():
    time.sleep(0.3)
    os.killpg(0, signal.SIGINT)
pid = env.session.opened.pid
os.kill(pid, signal.SIGSTOP)  # so that the step is under way when it comes
threading.Thread(target=interrupt).start()
try:
    env.step(1)
except KeyboardInterrupt:
    print("interrupted")
os.kill(pid, signal.SIGCONT)
"""
)


def test_an_interrupt_leaves_the_service_alone(tmp_path: Path) -> None:
    output = script(
        tmp_path,
        INTERRUPT
        + """
service_pid = service.pid
env.reset()
assert service.pid == service_pid
for index in range(8):
    result = env.step(0)
assert result[2], result
print("done")
""",
    )
    assert output == "interrupted\ndone\n"


def test_an_interrupted_step_is_not_taken_for_another(tmp_path: Path) -> None:
    """Either the episode is over, or its trajectory is what was done."""
    output = script(
        tmp_path,
        INTERRUPT
        + """
try:
    for index in range(8):
        result = env.step(0)
        if result[2] or result[3]:
            break
except mlcompiler_gym.MLCompilerGymError:
    pass
else:
    if result[2]:
        again = mlcompiler_gym.replay(env.trajectory, CALLS)
        assert again.object_code == env.emit(), "not what the trajectory says"
env.reset()
print("done")
""",
    )
    assert output == "interrupted\ndone\n"


def test_interrupts_at_any_time(make: Callable[..., CompilerEnv]) -> None:
    """Wherever in a step or reset it comes, the next reset is sound."""
    env = make(programs=Program("calls", CALLS.bitcode))
    env.reset()
    expected = play(env, 0)
    old = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for delay in range(1, 40):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay * 0.0005)
                while True:
                    env.reset()
                    play(env, 0)
            except KeyboardInterrupt:
                pass
            env.reset()
            assert play(env, 0) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert mlcompiler_gym.LocalService is LocalService
