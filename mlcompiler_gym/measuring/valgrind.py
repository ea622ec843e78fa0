# SPDX-License-Identifier: Apache-2.0
"""Instructions as valgrind's callgrind counts them, one by one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlcompiler_gym.measuring.errors import CountersError
from mlcompiler_gym.measuring.harness import check_ended, describe
from mlcompiler_gym.validation import bubblewrap, sandbox
from mlcompiler_gym.validation.errors import SandboxError
from mlcompiler_gym.validation.sandbox import Limits, Run

#: A program under callgrind takes some fifty times as long.
_SLOWER = 100

#: The first thing that callgrind says itself, with the number of its process.
_FIRST = re.compile(rb"==(\d+)== Callgrind")


def find_valgrind() -> Path | None:
    """Where valgrind is, if it is installed."""
    found = shutil.which("valgrind")
    return None if found is None else Path(found)


def count(
    executable: Path, arguments: Sequence[str], limits: Limits
) -> tuple[int, bytes, int]:
    """Run a program once under callgrind.

    Args:
        executable: Its path, in folders that any user may enter.
        arguments: Its arguments.
        limits: What it may use by itself.

    Returns:
        Instructions from where ``main`` is entered until it is left, output, and
        exit status.

    Raises:
        CountersError: valgrind is not installed, or does not take the program.
        MeasureError: The program did not end by itself.
    """
    valgrind = find_valgrind()
    if valgrind is None:
        raise CountersError(
            "valgrind is not installed, and counting instructions by it needs it "
            "(Debian: valgrind)"
        )
    command = [
        *(str(valgrind), "--tool=callgrind", "--toggle-collect=main"),
        *("--callgrind-out-file=/dev/null", str(executable.resolve()), *arguments),
    ]
    allowed = replace(
        limits,
        cpu_seconds=_SLOWER * limits.cpu_seconds,
        wall_seconds=_SLOWER * limits.wall_seconds,
        output_bytes=limits.output_bytes + (1 << 14),
        # valgrind itself maps much more than the program has, and writes files.
        memory_bytes=None,
        file_bytes=max(limits.file_bytes, 1 << 20),
    )
    done = _run(command, allowed)
    status = check_ended(done, executable.name, arguments, allowed)
    first = _FIRST.search(done.output)
    mark = b"==%s==" % first[1] if first else b"=="
    collected = re.search(mark + rb" Collected : (\d+)", done.output)
    if collected is None or not int(collected[1]):
        said = done.output.decode(errors="replace")[:1000]
        raise CountersError(
            f"valgrind does not count {describe(executable.name, arguments)}: {said}"
        )
    # Not only whole lines: what the program prints need not end with one.
    printed = re.sub(mark + rb".*\n", b"", done.output)
    return int(collected[1]), printed, status


def _run(command: Sequence[str], limits: Limits) -> Run:
    """As the sandbox runs a program, but with a folder that can be written.

    valgrind keeps what ``/proc`` shows of the program in files, and does not start
    without.
    """
    with tempfile.TemporaryDirectory(prefix="mlcompiler-gym-valgrind-") as folder:
        os.chmod(folder, 0o777)  # as another user, perhaps
        prefix = bubblewrap.prefix()
        if prefix:
            prefix = (*prefix[:-1], "--bind", folder, folder, prefix[-1])
        reader, writer = os.pipe()
        with open(reader, "rb", buffering=0) as report:
            try:
                process = subprocess.Popen(
                    [
                        *(*prefix, sys.executable, "-I", "-S", str(sandbox._LAUNCHER)),
                        *(str(writer), "/bin/sh", limits.resources()),
                        # It may be a script, which cannot be run by a descriptor.
                        *("-c", 'export TMPDIR="$0"; exec "$@"', folder, *command),
                    ],
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    pass_fds=[writer],
                    start_new_session=True,
                )
            except OSError as error:
                raise SandboxError(f"cannot run {command[0]}: {error}") from error
            finally:
                os.close(writer)
            with process:
                try:
                    return sandbox._Watch(process, report, limits).run()
                finally:
                    sandbox._end(process)
