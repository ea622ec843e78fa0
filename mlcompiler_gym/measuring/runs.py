# SPDX-License-Identifier: Apache-2.0
"""Runs of several builds of one program, in turn."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlcompiler_gym.lru import Lru
from mlcompiler_gym.measuring import harness, valgrind
from mlcompiler_gym.measuring.errors import CountersError, MeasureError
from mlcompiler_gym.measuring.paired import Paired
from mlcompiler_gym.measuring.settings import OBJECTIVES, Measuring, check_runnable
from mlcompiler_gym.programs import Program
from mlcompiler_gym.validation.link import link
from mlcompiler_gym.validation.sandbox import Limits, scratch_folder

#: Counts of valgrind that are remembered; they are the same each time.
_COUNTS: Lru[tuple[int, list[tuple[bytes, int]]]] = Lru(4096)


@dataclass(frozen=True)
class Sample:
    """Runs of one build.

    Attributes:
        values: One for each run, each the sum over all inputs.
        exact: Whether another run would give the same.
    """

    values: tuple[float, ...]
    exact: bool = False

    @property
    def median(self) -> float:
        """The value to go by."""
        return float(np.median(self.values))

    @property
    def spread(self) -> float:
        """Distance of the quartiles as a part of the median."""
        low, high = np.percentile(self.values, [25, 75])
        return float((high - low) / self.median) if self.median else 0.0

    def against(self, base: Sample, how: Measuring) -> Paired:
        """Compare with another build that was run in turn with this one."""
        if not self.exact:
            return how.compare(self.values, base.values)
        ratio = self.median / base.median
        return Paired(ratio, ratio, ratio, 1, 0)


def measure(
    program: Program,
    builds: Mapping[str, bytes],
    objectives: Iterable[str],
    how: Measuring | None = None,
) -> dict[str, dict[str, Sample]]:
    """Run builds of a program on all of its inputs, in turn.

    If there are several, they are run until each can be told from the first one by
    every objective, or is known to be as good, or has been run often enough.

    Every run has to print what the first build does, so that what is fast because it
    is wrong has no value. Nothing else should run on the machine meanwhile. Otherwise,
    compare times only within one call.

    Args:
        program: The program, with inputs.
        builds: Object files by a label each.
        objectives: Names among :data:`OBJECTIVES`.
        how: Repeats, limits, and what counts.

    Returns:
        By label and objective.

    Raises:
        CountersError: The machine does not count what was asked for.
        MeasureError: A build crashed, took too long or printed something else than
            the first one.
        ProgramError: The program has no inputs, does not link, or is for another
            machine.
        SandboxError: It could not be started.
    """
    how = how or Measuring()
    names = list(objectives)
    for name in names:
        if name not in OBJECTIVES:
            raise ValueError(
                f"unknown objective {name!r}; known: {', '.join(OBJECTIVES)}"
            )
    check_runnable(program)
    by_valgrind = "instructions" in names and _counts_by_valgrind(how)
    _check_counters(names)
    timed = [name for name in names if name != "instructions" or not by_valgrind]
    found: dict[str, dict[str, Sample]] = {label: {} for label in builds}
    with scratch_folder() as folder:
        os.chmod(folder, 0o755)  # valgrind opens the program as the user who runs it
        runs = _Runs(program, how, Path(folder))
        if timed:
            for label, values in runs.timed(builds, timed).items():
                found[label].update((name, Sample(values[name])) for name in timed)
            _check_clocks(found, timed)
        if by_valgrind:
            for label, count in runs.counted(builds).items():
                found[label]["instructions"] = Sample((count,), exact=True)
    return found


def _check_clocks(found: Mapping[str, Mapping[str, Sample]], names: list[str]) -> None:
    for name in names:
        if any(samples[name].median == 0 for samples in found.values()):
            raise MeasureError(
                f"the kernel says that these runs took no {name}: they are too short "
                "for its clock (a virtual machine may take what the host has stolen "
                "off the processor time of milliseconds); take wall_time, or larger "
                "inputs"
            )


def _check_counters(names: Iterable[str]) -> None:
    """Only the processor can count these; the kernel may not let it."""
    for name in names:
        if name == "instructions" or name not in harness.EVENTS:
            continue
        if error := harness.counter_error(name):
            raise CountersError(
                f"the kernel does not give this process the processor's counter of "
                f"{name} (perf_event_open: {error}); measure cpu_time or instructions, "
                "or allow it (sysctl kernel.perf_event_paranoid=2, on a machine that "
                "has counters)"
            )


def _counts_by_valgrind(how: Measuring) -> bool:
    if how.counter == "valgrind":
        return True
    error = harness.counter_error("instructions")
    if not error:
        return False
    if how.counter == "auto" and valgrind.find_valgrind() is not None:
        return True
    other = (
        "use counter='valgrind'"
        if valgrind.find_valgrind() is not None
        else "install valgrind, which counts them one by one"
    )
    raise CountersError(
        "the kernel does not give this process the processor's counter of instructions "
        f"(perf_event_open: {error}); {other}"
    )


class _Runs:
    """Runs in a folder; what each input leads to is known from the first."""

    def __init__(self, program: Program, how: Measuring, folder: Path) -> None:
        self._program = program
        self._limits = how.limits or Limits()
        self._how = how
        self._folder = folder
        self._name = program.name.rpartition("/")[2][:64]  # for messages
        self._expected: dict[tuple[str, ...], tuple[bytes, int]] = {}

    def _check(
        self, label: str, arguments: Sequence[str], did: tuple[bytes, int]
    ) -> None:
        expected = self._expected.setdefault(tuple(arguments), did)
        if did != expected:
            raise MeasureError(
                f"{harness.describe(self._name, arguments)} ({label}) cannot be "
                "measured: it prints or returns something else than another run did; "
                "validate() says what"
            )

    def timed(
        self, builds: Mapping[str, bytes], names: Sequence[str]
    ) -> dict[str, dict[str, tuple[float, ...]]]:
        counted = [name for name in names if name in harness.EVENTS]
        paths = {}
        for number, (label, code) in enumerate(builds.items()):
            paths[label] = self._folder / f"{self._name}-{number}"
            harness.link_measured(code, paths[label], counted)
        for label, path in paths.items():
            self._once(label, path, counted)  # finds files in no cache
        totals: dict[str, list[dict[str, float]]] = {label: [] for label in builds}
        made = 0
        for look in self._how.looks:
            for _ in range(look - made):
                for label, path in paths.items():
                    totals[label].append(self._once(label, path, counted))
            made = look
            by_name = {
                label: {name: tuple(row[name] for row in rows) for name in names}
                for label, rows in totals.items()
            }
            if self._are_told_apart(list(by_name.values()), names):
                break
        return by_name

    def _are_told_apart(
        self, runs: Sequence[Mapping[str, tuple[float, ...]]], names: Sequence[str]
    ) -> bool:
        """Whether nothing is left to find out of any build but the first."""
        first, *others = runs
        for name in names:
            if min(first[name]) <= 0:
                continue
            for other in others:
                found = self._how.compare(other[name], first[name])
                if not found.differs and not found.is_within(self._how.precision):
                    return False
        return True

    def _once(self, label: str, path: Path, counted: list[str]) -> dict[str, float]:
        total = dict.fromkeys(["wall_time", "cpu_time", *counted], 0.0)
        for arguments in self._program.inputs or ():
            done = harness.read(path, arguments, self._limits, counted)
            self._check(label, arguments, (done.output, done.status))
            total["wall_time"] += done.wall_seconds
            total["cpu_time"] += done.cpu_seconds
            for name, count in done.counts.items():
                if count < 0:
                    raise MeasureError(
                        f"{harness.describe(self._name, arguments)} cannot be "
                        f"measured: the processor's counter of {name} gave an error "
                        f"({os.strerror(-count)})"
                    )
                total[name] += count
        return total

    def counted(self, builds: Mapping[str, bytes]) -> dict[str, int]:
        totals = {}
        for number, (label, code) in enumerate(builds.items()):
            key = (
                hashlib.sha256(code).digest(),
                self._program.inputs,
                self._limits,
            )
            counted = _COUNTS.get(key)
            if counted is None:
                counted = self._count(code, self._folder / f"{self._name}-{number}")
                _COUNTS.put(key, counted)
            totals[label], did = counted
            for arguments, each in zip(self._program.inputs or (), did, strict=True):
                self._check(label, arguments, each)
        return totals

    def _count(self, code: bytes, path: Path) -> tuple[int, list[tuple[bytes, int]]]:
        link(code, path)
        total, did = 0, []
        for arguments in self._program.inputs or ():
            count, output, status = valgrind.count(path, arguments, self._limits)
            total += count
            did.append((output, status))
        return total, did
