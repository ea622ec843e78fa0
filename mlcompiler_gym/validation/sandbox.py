# SPDX-License-Identifier: Apache-2.0
"""Running a program that may do anything, miscompiled as it may be.

What it does by accident stays inside: its time, memory, output, files and
processes are limited, and none of its processes outlives the run. Where
bubblewrap is there it has no network and cannot change files either; elsewhere
this does not hold a program that means harm.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mlcompiler_gym.files import explain
from mlcompiler_gym.validation import bubblewrap
from mlcompiler_gym.validation.errors import SandboxError

_LAUNCHER = Path(__file__).with_name("launcher.py")

#: Seconds that the launcher may take to end everything it started.
_GRACE = 10.0


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    Attributes:
        cpu_seconds: Processor time. Unlike wall-clock time it does not depend on
            what else the machine does, so this should be the one that is reached.
        wall_seconds: Wall-clock time.
        memory_bytes: Address space. None: no limit.
        output_bytes: What it prints, standard error included.
        file_bytes: Size of a file that it writes.
        processes: Processes and threads that its user may have, itself included;
            with 1, starting another fails. None: no limit.
        open_files: Descriptors that it may have open.
    """

    cpu_seconds: int = 10
    wall_seconds: float = 60.0
    memory_bytes: int | None = 1 << 30
    output_bytes: int = 1 << 20
    file_bytes: int = 0
    processes: int | None = 1
    open_files: int = 64

    def resources(self) -> str:
        """The limits that the kernel enforces, for the launcher."""
        values = {
            "CPU": self.cpu_seconds,
            "AS": self.memory_bytes,
            "FSIZE": self.file_bytes,
            "NPROC": self.processes,
            "NOFILE": self.open_files,
            "CORE": 0,
        }
        return ",".join(
            f"{name}={value}" for name, value in values.items() if value is not None
        )


@dataclass(frozen=True)
class Run:
    """What a run of a program came to; nothing that depends on the machine's load.

    Attributes:
        output: Standard output and standard error together. Empty if the time was
            up, since how far it came by then is chance.
        status: Exit status, or None if it did not exit by itself.
        signal: Name of the signal that ended it, or None.
        timed_out: Whether its time was up.
        truncated: Whether it printed more than it may; the rest is cut off.
    """

    output: bytes = field(repr=False)
    status: int | None = None
    signal: str | None = None
    timed_out: bool = False
    truncated: bool = False


def run(
    executable: Path,
    arguments: Sequence[str] = (),
    limits: Limits | None = None,
    *,
    writable: bool = False,
) -> Run:
    """Run a program with an empty standard input, in an empty folder.

    Args:
        executable: Path of the program.
        arguments: Its arguments.
        limits: What it may use.
        writable: Whether it may write files in that folder, which is gone afterwards,
            as large as the limits say.

    Raises:
        SandboxError: It could not be started.
    """
    limits = limits or Limits()
    check_executes(executable)
    with scratch_folder() as folder:
        os.chmod(folder, 0o777 if writable else 0o755)  # as another user, perhaps
        prefix = bubblewrap.prefix()
        if prefix and writable:
            prefix = (*prefix[:-1], "--bind", folder, folder, prefix[-1])
        reader, writer = os.pipe()
        with open(reader, "rb", buffering=0) as report:
            try:
                process = _launch(prefix, executable, arguments, limits, folder, writer)
            finally:
                os.close(writer)
            with process:
                try:
                    return _Watch(process, report, limits).run()
                finally:
                    _end(process)


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """A folder for the block; what the system refuses in it is explained.

    Raises:
        SandboxError: It, or something in it, cannot be made or removed.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="mlcompiler-gym-") as folder:
            yield folder
    except OSError as error:
        raise SandboxError(f"cannot run a program: {explain(error)}") from error


def check_executes(executable: Path) -> None:
    """Refuse a program in a folder in which none may be run.

    Raises:
        SandboxError: It lies in such a folder.
    """
    try:
        flags = os.statvfs(executable).f_flag
    except OSError:
        return  # which starting it will say
    if flags & os.ST_NOEXEC:
        raise SandboxError(
            f"no program can be run in {executable.parent}, whose file system is "
            "mounted with noexec; set TMPDIR to a folder where programs may be run"
        )


def _launch(
    prefix: Sequence[str],
    executable: Path,
    arguments: Sequence[str],
    limits: Limits,
    folder: str,
    report: int,
) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, "-I", "-S", str(_LAUNCHER)]
    command += [str(report), str(executable.resolve()), limits.resources()]
    try:
        return subprocess.Popen(
            [*command, *arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            pass_fds=[report],
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"cannot run {executable}: {explain(error)}") from error
    except ValueError as error:
        raise SandboxError(f"cannot run {executable}: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have the launcher end everything. If it does not, end the launcher."""
    assert process.stdin is not None
    try:
        # A byte is sent as well, because a fork of this process may hold a copy of the
        # pipe's end.
        process.stdin.write(b"\n")
        process.stdin.close()
    except BrokenPipeError:
        pass
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


class _Watch:
    """Reads what a program prints until it ends or reaches a limit."""

    def __init__(
        self, process: subprocess.Popen[bytes], report: IO[bytes], limits: Limits
    ) -> None:
        assert process.stdout is not None
        self._stdout: IO[bytes] = process.stdout
        self._report = report
        self._limits = limits
        self._output = bytearray()
        self._line = b""

    def run(self) -> Run:
        end = time.monotonic() + self._limits.wall_seconds
        os.set_blocking(self._stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            selector.register(self._report, selectors.EVENT_READ)
            while not self._truncated:
                ready = [key.fileobj for key, _ in selector.select(end - _now())]
                if self._stdout in ready and not self._read_output():
                    selector.unregister(self._stdout)
                if self._report in ready and self._read_report():
                    # Everything has ended, so what there is to read is there.
                    self._drain()
                    return self._result()
                if _now() >= end:
                    return Run(b"", timed_out=True)
        return self._cut()

    @property
    def _truncated(self) -> bool:
        return len(self._output) > self._limits.output_bytes

    def _cut(self) -> Run:
        return Run(bytes(self._output[: self._limits.output_bytes]), truncated=True)

    def _read_output(self) -> bool:
        """Whether there was any."""
        # One byte more than it may print tells that it did.
        left = self._limits.output_bytes + 1 - len(self._output)
        data = self._stdout.read(min(left, 1 << 16))
        self._output += data or b""
        return bool(data)

    def _drain(self) -> None:
        while not self._truncated and self._read_output():
            pass

    def _read_report(self) -> bool:
        """Whether it is complete."""
        data = self._report.read(1 << 12)
        self._line += data
        return not data or self._line.endswith(b"\n")

    def _result(self) -> Run:
        line = self._line.decode(errors="replace").partition("\n")[0]
        what, _, rest = line.partition(" ")
        if what in ("", "error"):
            said = self._output.decode(errors="replace").strip()
            raise SandboxError(
                "the program could not be started"
                + "".join(f": {text}" for text in (rest, said) if text)
            )
        if self._truncated:
            return self._cut()
        code = os.waitstatus_to_exitcode(int(what))
        if code >= 0:
            return Run(bytes(self._output), status=code)
        used_up = float(rest) >= self._limits.cpu_seconds
        if -code == signal.SIGXCPU or (-code == signal.SIGKILL and used_up):
            return Run(b"", timed_out=True)
        return Run(bytes(self._output), signal=_signal_name(-code))


def _now() -> float:
    return time.monotonic()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
