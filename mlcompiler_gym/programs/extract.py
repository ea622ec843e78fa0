# SPDX-License-Identifier: Apache-2.0
"""A user's own code as programs: compiled again for bitcode, beside its build."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from mlcompiler_gym.clang import find_clang
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs.compile_commands import (
    CompileCommand,
    read_compile_commands,
)
from mlcompiler_gym.programs.extracted import (
    Extracted,
    divide,
    is_extracted,
    read_manifest,
    write_manifest,
)
from mlcompiler_gym.programs.progress import progress_bar

_UNKNOWN = re.compile(
    r"error: (?:unknown argument|unsupported option|"
    r"unsupported argument '[^']*' to option):? '([^']+)'"
)


@dataclass
class ExtractReport:
    """What became of a build.

    Attributes:
        made: Programs that were compiled.
        kept: Programs of an earlier run that are still up to date.
        failed: Source files that did not compile, with the compiler's message.
        dropped: Flags that clang does not know and that were left out.
    """

    made: int = 0
    kept: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{self.made} programs made, {self.kept} kept, "
                 f"{len(self.failed)} failed"]  # fmt: skip
        for flag, count in self.dropped.most_common():
            lines.append(f"left out {flag} ({count} files): clang does not know it")
        reasons = Counter(_reason(message) for _, message in self.failed)
        for reason, count in reasons.most_common(10):
            example = next(s for s, m in self.failed if _reason(m) == reason)
            lines.append(f"{count} failed, e.g. {example}: {reason}")
        return "\n".join(lines)


def extract(
    compile_commands: Path,
    output: Path,
    *,
    level: str = "Oz",
    jobs: int | None = None,
    resume: bool = True,
    progress: bool = True,
    by_target: bool = False,
) -> ExtractReport:
    """Compile every file of a build to bitcode that is not optimised yet.

    Args:
        compile_commands: ``compile_commands.json``. The build must have been
            run, if it generates sources.
        output: Folder for the bitcode, made if it is not there. Afterwards it
            is a set of programs, under its path.
        level: What functions are marked for: ``"Oz"`` or ``"O2"``; it replaces
            the build's own.
        jobs: Compilers at once; all processors if None.
        resume: Keep what an earlier run made with the same command line of a
            source that has not changed since.
        progress: Whether to show a bar.
        by_target: Keep CMake's targets together in splits, and not folders.

    Raises:
        ProgramError: The database cannot be read, or there is no clang.
    """
    commands = read_compile_commands(compile_commands)
    clang = find_clang()
    report = ExtractReport()
    files = _name_files([command.source for command in commands])
    earlier = []
    if is_extracted(os.fspath(output)):
        earlier = read_manifest(output)
    known = {each.file: each for each in earlier} if resume else {}
    done: list[Extracted] = []
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProgramError(f"cannot make {output}: {error.strerror}") from error
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        running = {}
        for command, file in zip(commands, files, strict=True):
            unit = _Unit(command, _command_line(clang, command, level), output, file)
            old = known.get(file)
            if old and old.command == unit.line and unit.is_current():
                done.append(old)
                report.kept += 1
            else:
                running[pool.submit(unit.compile)] = unit
        bar = progress_bar(len(running), "extract", unit="file", enabled=progress)
        try:
            for future in as_completed(running):
                bar.update()
                unit = running[future]
                source = str(unit.command.source)
                try:
                    report.dropped.update(future.result())
                except ProgramError as error:
                    report.failed.append((source, str(error)))
                else:
                    report.made += 1
                    output_of = unit.command.output
                    done.append(
                        Extracted(unit.file, source, unit.line, output=output_of)
                    )
        finally:
            # Also after Ctrl-C: what is there is not made again.
            bar.close()
            pool.shutdown(wait=True, cancel_futures=True)
            write_manifest(output, divide(done, by_target=by_target, known=earlier))
    return report


def _command_line(clang: str, command: CompileCommand, level: str) -> tuple[str, ...]:
    mode = ("--driver-mode=g++",) if command.cplusplus else ()
    return (
        *(clang, *mode, *command.flags, f"-{level}", "-g0", "-w"),
        *("-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c"),
    )


@dataclass(frozen=True)
class _Unit:
    """One file to compile.

    Attributes:
        command: How the build compiles it.
        line: How it is compiled for bitcode; source and output are left out.
        folder: Where everything goes.
        file: Path of the bitcode below that.
    """

    command: CompileCommand
    line: tuple[str, ...]
    folder: Path
    file: str

    @property
    def _depends(self) -> Path:
        """Where the compiler notes which files it has read."""
        return self.folder / ".depends" / f"{self.file}.d"

    def compile(self) -> list[str]:
        """Compile it; returns the flags that had to be left out.

        Raises:
            ProgramError: It does not compile.
        """
        target = self.folder / self.file
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._depends.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProgramError(f"error: {error}") from error
        note = ("-MD", "-MF", str(self._depends.resolve()))
        dropped: list[str] = []
        while True:
            arguments = [each for each in self.line if each not in dropped]
            try:
                done = subprocess.run(
                    [*arguments, *note, "-o", "-", str(self.command.source)],
                    cwd=self.command.folder,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                )
            except OSError as error:
                raise ProgramError(f"error: {error}") from error
            if not done.returncode:
                break
            message = done.stderr.decode(errors="replace").strip()
            unknown = set(_UNKNOWN.findall(message)) & set(arguments)
            if not unknown:
                raise ProgramError(message)
            dropped += unknown
        write_file(target, done.stdout)
        return dropped

    def is_current(self) -> bool:
        """Whether nothing that the bitcode was made of has changed since."""
        try:
            made = (self.folder / self.file).stat().st_mtime
            rule = self._depends.read_text().replace("\\\n", " ")
            # A path may have blanks in it, with a backslash before each.
            read = re.findall(r"(?:\\.|\S)+", rule.partition(": ")[2])
            return all(
                made >= (self.command.folder / each.replace("\\ ", " ")).stat().st_mtime
                for each in read
            )
        except OSError:
            return False


def _name_files(sources: Sequence[Path]) -> list[str]:
    """A path for the bitcode of each; a source compiled twice gets two."""
    if not sources:
        return []
    root = Path(os.path.commonpath([source.parent for source in sources]))
    seen: Counter[str] = Counter()
    names = []
    for source in sources:
        name = str(source.relative_to(root))
        seen[name] += 1
        names.append(f"{name}{f'.{seen[name]}' if seen[name] > 1 else ''}.bc")
    return names


def _reason(message: str) -> str:
    errors = [line for line in message.splitlines() if "error:" in line]
    return (errors or message.splitlines() or ["no message"])[0]
