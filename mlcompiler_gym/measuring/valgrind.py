# SPDX-License-Identifier: Apache-2.0
"""Instructions as valgrind's callgrind counts them, one by one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlcompiler_gym.measuring.errors import CountersError
from mlcompiler_gym.measuring.harness import check_ended, describe
from mlcompiler_gym.validation import sandbox
from mlcompiler_gym.validation.sandbox import Limits

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
        SandboxError: It could not be started.
    """
    valgrind = find_valgrind()
    if valgrind is None:
        raise CountersError(
            "valgrind is not installed, and counting instructions by it needs it "
            "(Debian: valgrind)"
        )
    sandbox.check_executes(executable)
    command = [
        # valgrind may be a script, and those cannot be run by a descriptor.
        *("-c", 'export TMPDIR="$PWD"; exec "$@"', "sh"),
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
    # It writes files with what /proc shows of the program, and needs them to start.
    done = sandbox.run(Path("/bin/sh"), command, allowed, writable=True)
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
