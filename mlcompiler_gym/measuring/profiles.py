# SPDX-License-Identifier: Apache-2.0
"""Programs with the block frequencies of a run, by LLVM's own instrumentation."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from typing_extensions import override

from mlcompiler_gym.clang import find_clang
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.measuring.errors import MeasureError
from mlcompiler_gym.measuring.harness import check_ended
from mlcompiler_gym.measuring.settings import check_runnable
from mlcompiler_gym.programs import Program, ProgramsLike, ProgramSource, load_programs
from mlcompiler_gym.programs.pypi.cache import cache_root
from mlcompiler_gym.validation import sandbox
from mlcompiler_gym.validation.sandbox import Limits, scratch_folder

#: What the cache's keys begin with. With another number, all profiles are made again.
_VERSION = b"1"
#: Counters take their time.
_SLOWER = 10
#: Bytes that a profile may have.
_MOST_BYTES = 64 << 20
_MARK = b"\x01mlcompiler-gym profile:"
#: Runs the program, prints what it prints, and its profile at the end.
_SCRIPT = "\n".join(
    (
        'export LLVM_PROFILE_FILE="$PWD/profile"',
        '"$@"',
        "status=$?",
        f"printf '{_MARK.decode()}'",
        "cat profile",
        "exit $status",
    )
)


def profile(
    program: Program,
    inputs: Sequence[Sequence[str]] | None = None,
    *,
    limits: Limits | None = None,
) -> Program:
    """The program with how often each of its blocks was executed in runs of it.

    It is instrumented, run in the sandbox, and its module has the counts as LLVM's
    metadata, so that block frequencies in a compile are those of the runs. What it
    computes is the same. The bitcode is kept in the user's cache, by the content of
    the program and its inputs.

    Args:
        program: One that runs on this machine.
        inputs: Arguments of the runs. None: the first of the program's own, so that
            the others are left to judge by.
        limits: What a run without counters may use.

    Returns:
        A program of the same name and inputs, whose bitcode is made when it is needed.
        One that this has made before is returned as it is, unless inputs are named.

    Raises:
        ProgramError: It has no inputs. What else keeps it from being profiled is
            raised where its bitcode is needed.
    """
    if inputs is None and isinstance(program.content, _Profiled):
        return program
    check_runnable(program)
    runs = inputs if inputs is not None else (program.inputs or ((),))[:1]
    arguments = tuple(tuple(each) for each in runs)
    return replace(program, content=_Profiled(program, arguments, limits or Limits()))


def profiled(programs: ProgramsLike) -> ProgramSource:
    """All of these programs as :func:`profile` makes them, each when it is needed.

    Args:
        programs: Programs that run; see :func:`~mlcompiler_gym.load_programs`.
    """
    return _ProfiledPrograms(load_programs(programs))


class _ProfiledPrograms(ProgramSource):
    def __init__(self, source: ProgramSource) -> None:
        self._source = source

    @property
    @override
    def size(self) -> int | None:
        return self._source.size

    @override
    def __iter__(self) -> Iterator[Program]:
        return map(profile, self._source)

    @override
    def sample(self, rng: np.random.Generator) -> Program:
        return profile(self._source.sample(rng))

    @override
    def named(self, name: str) -> Program:
        return profile(self._source.named(name))

    def __repr__(self) -> str:
        return f"profiled({self._source!r})"


@dataclass(frozen=True)
class _Profiled:
    """Makes the bitcode, or finds it in the cache."""

    program: Program
    inputs: tuple[tuple[str, ...], ...]
    limits: Limits

    def __call__(self) -> bytes:
        parts = [_VERSION, self.program.sha256, repr(self.inputs).encode()]
        key = hashlib.sha256(b"\0".join(parts)).hexdigest()
        path = cache_root() / "profiles" / f"{key}.bc"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        made = self._make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, made)
        return made

    def _make(self) -> bytes:
        opt, merge = _find_tool("opt-22"), _find_tool("llvm-profdata-22")
        with scratch_folder() as scratch:
            folder = Path(scratch)
            folder.chmod(0o755)
            plain = folder / "plain.bc"
            plain.write_bytes(self.program.bitcode)
            counting = folder / "counting.bc"
            passes = "-passes=pgo-instr-gen,instrprof"
            _run([opt, passes, str(plain), "-o", str(counting)])
            executable = folder / "program"
            link = [find_clang(), "-O1", "-fprofile-instr-generate", str(counting)]
            _run([*link, "-Wno-override-module", "-o", str(executable), "-lm"])
            raw = []
            for number, arguments in enumerate(self.inputs):
                raw.append(folder / f"{number}.profraw")
                raw[-1].write_bytes(self._count(executable, arguments))
            indexed, made = folder / "all.profdata", folder / "made.bc"
            _run([merge, "merge", *map(str, raw), "-o", str(indexed)])
            attach = [opt, "-passes=pgo-instr-use", str(plain), "-o", str(made)]
            _run([*attach, f"-pgo-test-profile-file={indexed}"])
            return made.read_bytes()

    def _count(self, executable: Path, arguments: Sequence[str]) -> bytes:
        sandbox.check_executes(executable)
        allowed = replace(
            self.limits,
            cpu_seconds=_SLOWER * self.limits.cpu_seconds,
            wall_seconds=_SLOWER * self.limits.wall_seconds,
            output_bytes=self.limits.output_bytes + _MOST_BYTES,
            file_bytes=_MOST_BYTES,
            # The shell and the program.
            processes=None,
        )
        command = ["-c", _SCRIPT, "sh", str(executable), *arguments]
        done = sandbox.run(Path("/bin/sh"), command, allowed, writable=True)
        check_ended(done, self.program.name, arguments, allowed)
        _, mark, counts = done.output.partition(_MARK)
        if not mark or not counts:
            raise MeasureError(
                f"{self.program.name} leaves no profile: it ended without the end of "
                "main or exit() (by _exit(), perhaps)"
            )
        return counts


def _find_tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ProgramError(
            f"{name} is not installed, and profiles need it (Debian: llvm-22)"
        )
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise ProgramError(
            f"the program cannot be profiled:\n  {' '.join(command)}\n"
            + textwrap.indent(said, "    ")
        )
