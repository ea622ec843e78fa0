# SPDX-License-Identifier: Apache-2.0
"""``mlcg-clang`` and ``mlcg-clang++``: clang, with decisions by policies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mlcompiler_gym.building.jobs import is_unit, plan
from mlcompiler_gym.clang import find_clang
from mlcompiler_gym.errors import MLCompilerGymError

if TYPE_CHECKING:
    from mlcompiler_gym.building.build import Build

POLICY_VARIABLE = "MLCOMPILER_GYM_POLICY"
GUARD_VARIABLE = "MLCOMPILER_GYM_GUARD"
REPORT_VARIABLE = "MLCOMPILER_GYM_REPORT"
TIMEOUT_VARIABLE = "MLCOMPILER_GYM_TIMEOUT"

#: The prefix of our options; no option of clang has it.
_PREFIX = "--mlcg-"
#: The value that can be guarded.
_GUARDED = "text_size"


class UsageError(MLCompilerGymError):
    """One of our own options is not as it must be."""


@dataclass
class Options:
    """The options of ours, from the command line, and otherwise from the environment.

    Attributes:
        policies: Files and names.
        guard: Keep LLVM's object where the policies' has more code.
        report: File to add a line to for each unit.
        timeout: Seconds for each step of the compiler's work.
        clang: What is clang's, untouched and in order.
    """

    policies: list[str] = field(default_factory=list)
    guard: bool = False
    report: Path | None = None
    timeout: float = 600.0
    clang: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Options:
        """Take our options out.

        Raises:
            UsageError: One is unknown, or its value cannot be.
        """
        given: dict[str, list[str]] = {}
        clang: list[str] = []
        rest = iter(arguments)
        for each in rest:
            if not each.startswith(_PREFIX):
                clang.append(each)
                continue
            name, equals, value = each.removeprefix(_PREFIX).partition("=")
            if name not in ("policy", "guard", "report", "timeout"):
                raise UsageError(
                    f"unknown option {_PREFIX}{name}; there are {_PREFIX}policy, "
                    f"{_PREFIX}guard, {_PREFIX}report and {_PREFIX}timeout"
                )
            if not equals:
                try:
                    value = next(rest)
                except StopIteration:
                    raise UsageError(f"{_PREFIX}{name} needs a value") from None
            given.setdefault(name, []).append(value)

        def last(name: str, variable: str) -> str:
            return given[name][-1] if name in given else os.environ.get(variable, "")

        listed = os.environ.get(POLICY_VARIABLE, "").split(os.pathsep)
        guard = last("guard", GUARD_VARIABLE)
        if guard not in ("", _GUARDED):
            raise UsageError(f"{guard!r} cannot be guarded; {_GUARDED} can")
        report = last("report", REPORT_VARIABLE)
        timeout = last("timeout", TIMEOUT_VARIABLE)
        return cls(
            policies=[each for each in given.get("policy", listed) if each],
            guard=bool(guard),
            report=Path(report) if report else None,
            timeout=_seconds(timeout) if timeout else cls.timeout,
            clang=clang,
        )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # A deadline is a number of milliseconds of 32 bits.
    if not 0 < seconds < 1e6:
        raise UsageError(f"{text!r} is not a number of seconds from 0 to 1000000")
    return seconds


def clang() -> NoReturn:
    """Entry point of ``mlcg-clang``."""
    sys.exit(main(sys.argv[1:]))


def clangxx() -> NoReturn:
    """Entry point of ``mlcg-clang++``."""
    sys.exit(main(sys.argv[1:], cplusplus=True))


def main(arguments: Sequence[str], *, cplusplus: bool = False) -> int:
    """Do what clang does with a command line; returns its exit status.

    Where nothing is left to policies, clang takes the place of this process.
    """
    name = "mlcg-clang++" if cplusplus else "mlcg-clang"
    # The folder of temporary files is removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        options = Options.parse(arguments)
        mode = ["--driver-mode=g++"] if cplusplus else []
        return _Driver(name, options, [find_clang(), *mode, *options.clang]).run()
    except (MLCompilerGymError, OSError) as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


class _Driver:
    """One command line, job by job."""

    def __init__(self, name: str, options: Options, command: list[str]) -> None:
        self._name = name
        self._options = options
        self._command = command

    def run(self) -> int:
        """Do it; returns the exit status."""
        # A user who asks to see the jobs wants to see those of clang.
        if not self._options.policies or {"-v", "-###"} & set(self._command):
            self._hand_over()
        planned = plan(self._with_colours())
        if planned is None or not any(map(is_unit, planned.jobs)):
            self._hand_over()
        # What a unit needs takes longer to import than clang takes to link.
        from mlcompiler_gym.building.build import Build
        from mlcompiler_gym.building.policies import load_policies

        try:
            policies = load_policies(self._options.policies)
        except MLCompilerGymError as error:
            self._warn(f"compiled by LLVM alone: {error}")
            self._hand_over()
        sys.stderr.write(planned.said)
        sys.stderr.flush()
        build = Build(
            policies,
            guard=self._options.guard,
            report=self._options.report,
            deadline=self._options.timeout,
            warn=self._warn,
        )
        try:
            with tempfile.TemporaryDirectory(prefix="mlcg-") as folder:
                return self._run_jobs(
                    _moved(planned.jobs, self._command, folder), build
                )
        finally:
            build.close()

    def _run_jobs(self, jobs: Sequence[list[str]], build: Build) -> int:
        """Run all jobs, except jobs that need the output of a failed one."""
        first_status = 0
        missing: set[str] = set()
        for job in jobs:
            if missing.intersection(job):
                missing.update(_output(job))
                continue
            if is_unit(job):
                status = build.compile(job)[0]
            else:
                status = subprocess.run(job, check=False).returncode
                if status and job[1:2] not in (["-cc1"], ["-cc1as"]):
                    print(
                        f"{self._name}: error: {Path(job[0]).name} command failed with "
                        f"exit code {status} (use -v to see invocation)",
                        file=sys.stderr,
                    )
            if status:
                missing.update(_output(job))
                first_status = first_status or status
        return first_status if first_status >= 0 else 128 - first_status

    def _hand_over(self) -> NoReturn:
        """Let clang take the place of this process."""
        sys.stderr.flush()
        os.execv(self._command[0], self._command)

    def _with_colours(self) -> list[str]:
        """The command, with what clang would add if it saw a terminal."""
        if not sys.stderr.isatty():
            return self._command
        first, *rest = self._command
        # An option for colours on the command line comes later, and so overrides this
        # one.
        return [first, "-fcolor-diagnostics", *rest]

    def _warn(self, text: str) -> None:
        print(f"{self._name}: warning: {text}", file=sys.stderr, flush=True)


def _output(job: Sequence[str]) -> list[str]:
    """The file that a job makes."""
    return [job[job.index("-o") + 1]] if "-o" in job[:-1] else []


def _moved(
    jobs: Sequence[list[str]], command: Sequence[str], folder: str
) -> list[list[str]]:
    """The jobs, with the files that only pass between them in a folder of ours.

    Clang names such files in the folder of temporary files, where somebody else may
    make them meanwhile.
    """
    asked = set(command)
    passed = {
        output: os.path.join(folder, os.path.basename(output))
        for number, job in enumerate(jobs)
        for output in _output(job)
        if output not in asked and any(output in later for later in jobs[number + 1 :])
        if os.path.isabs(output)
    }
    return [[passed.get(each, each) for each in job] for job in jobs]
