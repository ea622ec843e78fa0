# SPDX-License-Identifier: Apache-2.0
"""Programs that say at their end what their run has taken."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlcompiler_gym.measuring.errors import MeasureError
from mlcompiler_gym.validation.errors import LinkError
from mlcompiler_gym.validation.link import find_linker, link
from mlcompiler_gym.validation.sandbox import Limits, Run, run, scratch_folder

_SOURCE = Path(__file__).with_name("harness.c")
_MARK = "\x01mlcompiler-gym:"
#: What the processor may count, and what linux/perf_event.h calls it.
EVENTS = {
    "instructions": "PERF_COUNT_HW_INSTRUCTIONS",
    "cycles": "PERF_COUNT_HW_CPU_CYCLES",
    "branch_misses": "PERF_COUNT_HW_BRANCH_MISSES",
    "cache_misses": "PERF_COUNT_HW_CACHE_MISSES",
}
#: What a shell prints when a program has ended, before its exit status.
_ENDED = "\x01mlcompiler-gym ended:"


@dataclass(frozen=True)
class Reading:
    """One run.

    Attributes:
        output: What the program printed.
        status: Its exit status.
        wall_seconds: By the clock.
        cpu_seconds: Processor time.
        counts: By name of :data:`EVENTS`, what the processor counted in user mode, or
            minus the number of the error for which it could not be counted.
    """

    output: bytes
    status: int
    wall_seconds: float
    cpu_seconds: float
    counts: Mapping[str, int]


def link_measured(
    object_code: bytes, executable: Path, counted: Sequence[str] = ()
) -> None:
    """Link an object file to a program for :func:`read`.

    Args:
        object_code: An object file with ``main``.
        executable: Where to write the program.
        counted: Names of :data:`EVENTS`.

    Raises:
        LinkError: It does not link.
        MachineError: It is for another machine.
    """
    harness = executable.with_name(executable.name + "-harness.o")
    harness.write_bytes(_compile_harness(tuple(counted)))
    link(object_code, executable, [harness])


@functools.cache
def _compile_harness(counted: tuple[str, ...]) -> bytes:
    events = "".join(f"{EVENTS[name]}," for name in counted)
    flags = [f'-DHARNESS_MARK="{_c_string(_MARK)}"', f"-DHARNESS_EVENTS={events}"]
    return _compile_c(_SOURCE.read_text(), flags)


def _compile_c(source: str, flags: Sequence[str] = ()) -> bytes:
    with scratch_folder() as folder:
        made = Path(folder) / "made.o"
        command = [find_linker(), "-O2", "-fPIC", *flags, "-x", "c", "-c"]
        command += ["-", "-o", str(made)]
        done = subprocess.run(
            command, input=source.encode(), capture_output=True, check=False
        )
        if done.returncode:
            raise LinkError(
                "what measures a program's runs does not compile (Debian: "
                "libc6-dev and linux-libc-dev are needed):\n"
                + done.stderr.decode(errors="replace")
            )
        return made.read_bytes()


def _c_string(text: str) -> str:
    return "".join(f"\\{ord(c):03o}" if ord(c) < 32 else c for c in text)


def read(
    executable: Path,
    arguments: Sequence[str],
    limits: Limits,
    counted: Sequence[str] = (),
) -> Reading:
    """Run a program once, which was linked to count the same.

    Raises:
        MeasureError: It did not end by itself.
        SandboxError: It could not be started.
    """
    done = run(executable, arguments, limits)
    status = check_ended(done, executable.name, arguments, limits)
    reading = _parse(done.output, status, counted)
    if reading is None:
        raise MeasureError(
            f"{describe(executable.name, arguments)} cannot be measured: it ended "
            "without the end of main or exit() (by _exit(), perhaps)"
        )
    return reading


def read_each(
    executables: Sequence[Path], arguments: Sequence[str], limits: Limits
) -> list[Reading | None]:
    """Run several programs once each, one after the other, in one sandbox.

    Starting a sandbox takes longer than many a program.

    Args:
        executables: Their paths, in folders that any user may enter.
        arguments: Arguments of each.
        limits: What each may use; it may start other processes.

    Returns:
        One for each program; None where it crashed, took too long, or ended by
        ``_exit()``.

    Raises:
        MeasureError: All together took too long or printed too much.
        SandboxError: They could not be started.
    """
    given = shlex.join(arguments)
    mark = f"printf '{_c_string(_ENDED)}%d\\n' $?"
    script = "\n".join(
        f"{shlex.quote(str(path.resolve()))} {given}; {mark}" for path in executables
    )
    count = len(executables)
    together = replace(
        limits,
        wall_seconds=count * limits.wall_seconds,
        output_bytes=count * limits.output_bytes,
        processes=None,
    )
    done = run(Path("/bin/sh"), ["-c", script], together)
    check_ended(done, "a round of runs", arguments, together)
    pieces = re.split(re.escape(_ENDED.encode()) + rb"(\d+)\n", done.output)
    if len(pieces) != 2 * count + 1:
        raise MeasureError("a program prints what only the end of another one prints")
    return [
        _parse(output, int(status))
        for output, status in zip(pieces[:-1:2], pieces[1::2], strict=True)
    ]


def _parse(printed: bytes, status: int, counted: Sequence[str] = ()) -> Reading | None:
    """What a program says at its end; None if it does not."""
    output, mark, line = printed.rpartition(_MARK.encode())
    numbers = line.split()
    if not mark or len(numbers) != 2 + len(counted):
        return None
    wall, cpu, *counts = map(int, numbers)
    by_name = dict(zip(counted, counts, strict=True))
    return Reading(output, status, wall / 1e9, cpu / 1e9, by_name)


def check_ended(done: Run, name: str, arguments: Sequence[str], limits: Limits) -> int:
    """The exit status of a run that is one to measure.

    Raises:
        MeasureError: It crashed, took too long or printed too much.
    """
    if done.status is not None:
        return done.status
    if done.timed_out:
        why = f"it takes more than {limits.cpu_seconds} s of processor time"
    elif done.truncated:
        why = f"it prints more than {limits.output_bytes} bytes"
    else:
        why = f"it was ended by {done.signal}"
    raise MeasureError(f"{describe(name, arguments)} cannot be measured: {why}")


def describe(name: str, arguments: Sequence[str]) -> str:
    """A run, for a person."""
    return " ".join([name, *map(repr, arguments)])


@functools.cache
def counter_error(event: str) -> str:
    """Why this kernel does not count an event; empty if it does.

    Args:
        event: A name of :data:`EVENTS`.

    Raises:
        LinkError: There is no compiler to find that out with.
    """
    with scratch_folder() as folder:
        program = Path(folder) / "probe"
        code = _compile_c("int main(void) { return 0; }\n")
        link_measured(code, program, [event])
        found = read(program, (), Limits(), [event]).counts[event]
    return os.strerror(-found) if found < 0 else ""
