# SPDX-License-Identifier: Apache-2.0
"""One unit compiled with policies, or by LLVM where they fail or do worse."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mlcompiler_gym.building.objects import text_size
from mlcompiler_gym.building.policies import BuildPolicy, Deciders
from mlcompiler_gym.building.unit import Unit
from mlcompiler_gym.client.local import LocalService
from mlcompiler_gym.errors import MLCompilerGymError, PolicyError
from mlcompiler_gym.files import write_file


@dataclass
class Made:
    """What became of a unit: a line of the report.

    Attributes:
        unit: The source file, as the command line names it.
        output: The object file.
        policies: SHA-256 of each policy's file, by what it was asked for as.
        decisions: How many decisions were taken, by task.
        kept: Whose object it is: ``"policy"`` or ``"llvm"``.
        reason: Why it is LLVM's; ``""`` if it is the policies'.
        text_size: Bytes of its code; None if it is not asked for.
        llvm_text_size: Bytes of the code of LLVM's own object; None without the guard.
        seconds: How long each part took.
        seen: What policies decided from, by what they were asked for as: of each
            element of the inputs, how many decisions lay in each bin of the card.
            Only of policies whose cards have bins.
    """

    unit: str
    output: str
    policies: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, int] = field(default_factory=dict)
    kept: str = "llvm"
    reason: str = ""
    text_size: int | None = None
    llvm_text_size: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    seen: dict[str, list[list[int]]] = field(default_factory=dict)


class Build:
    """Compiles units with policies, and by LLVM alone where they fail or do worse.

    It starts a service when the first unit is compiled, and ends it in
    :meth:`close`.

    Args:
        policies: At most one for each task.
        guard: Keep LLVM's own object where the policies' has more code.
        report: File to which a line of JSON is added for each unit; None: nowhere.
        deadline: Seconds that the compiler may take for each step of its work.
        warn: Is told of each unit that is compiled by LLVM alone for a fault, and why.
    """

    def __init__(
        self,
        policies: Sequence[BuildPolicy],
        *,
        guard: bool = False,
        report: Path | None = None,
        deadline: float = 600.0,
        warn: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
    ) -> None:
        self._policies = policies
        self._guard = guard
        self._report = report
        self._deadline = deadline
        self._warn = warn
        self._service = LocalService()
        self._deciders: Deciders | None = None

    def close(self) -> None:
        """End the service."""
        self._service.close()

    def compile(self, job: Sequence[str]) -> tuple[int, Made]:
        """Compile a unit and write its object file.

        Args:
            job: A job of clang; see :func:`~mlcompiler_gym.building.jobs.is_unit`.

        Returns:
            The exit status of clang, which is not 0 if the unit does not compile, and
            what was made.

        Raises:
            OSError: Clang cannot be run.
            MLCompilerGymError: The object file or the report cannot be written.
        """
        unit = Unit(job)
        made = Made(
            unit.source,
            unit.output,
            {policy.name: policy.sha256 for policy in self._policies},
        )
        try:
            deciders = self._prepare(unit)
        except MLCompilerGymError as error:
            self._give_up(made, error)
            status = _run(unit.command, made, "llvm")
        else:
            with tempfile.TemporaryDirectory(prefix="mlcg-") as folder:
                status = self._compile_with(deciders, unit, made, Path(folder))
        if not status and self._report is not None:
            _add_to_report(self._report, made)
        return status, made

    def _prepare(self, unit: Unit) -> Deciders:
        """What decides about a unit; None if nothing can."""
        if self._deciders is None:
            self._deciders = Deciders(
                self._policies,
                self._service,
                self._deadline,
                watch=self._report is not None,
            )
        flag = unit.unsupported(self._deciders.in_codegen)
        if flag is None and self._guard:
            flag = unit.writes_besides()
        if flag is not None:
            raise PolicyError(f"{flag} is not supported together with policies")
        return self._deciders

    def _compile_with(
        self, deciders: Deciders, unit: Unit, made: Made, folder: Path
    ) -> int:
        bitcode = folder / "unit.bc"
        status = _run(unit.front_end(str(bitcode)), made, "front_end")
        if status:
            return status
        content: bytes | None = None
        try:
            content = self._by_policies(deciders, unit, made, bitcode)
            if self._guard or self._report is not None:
                made.text_size = text_size(content)
            made.kept = "policy"
        except (MLCompilerGymError, OSError) as error:
            self._give_up(made, error)
        if content is None or made.kept == "llvm" or self._guard:
            own = folder / "llvm.o"
            status = _run(
                unit.back_end(str(bitcode), str(own), optimise=True),
                made,
                "llvm",
                # Its messages have already been shown for the policies' code.
                quiet=made.kept == "policy",
            )
            if status:
                return status
            content = self._choose(content, own.read_bytes(), made)
        _write(unit.output, content)
        return 0

    def _by_policies(
        self, deciders: Deciders, unit: Unit, made: Made, bitcode: Path
    ) -> bytes:
        """The object file that policies make of a unit's bitcode."""
        with _timed(made, "policy"):
            decided = deciders.decide(unit, bitcode.read_bytes())
        made.decisions, made.seen = decided.decisions, decided.seen
        if decided.object is not None:
            return decided.object
        # Where no policy decides about its code, clang's own generator knows best
        # what all the flags mean.
        assert decided.bitcode is not None
        optimised = bitcode.with_name("optimised.bc")
        optimised.write_bytes(decided.bitcode)
        output = bitcode.with_name("policy.o")
        command = unit.back_end(str(optimised), str(output), optimise=False)
        if status := _run(command, made, "back_end"):
            raise PolicyError(
                "clang generates no code for what the policies made of it (exit status "
                f"{status})"
            )
        return output.read_bytes()

    def _choose(self, content: bytes | None, own: bytes, made: Made) -> bytes:
        """LLVM's own object, unless the policies' is there and no worse."""
        with contextlib.suppress(MLCompilerGymError):
            made.llvm_text_size = text_size(own)
        if made.kept == "llvm" or content is None:
            made.text_size = made.llvm_text_size
            return own
        ours, theirs = made.text_size, made.llvm_text_size
        if ours is not None and theirs is not None and ours <= theirs:
            return content
        made.kept = "llvm"
        made.reason = f"the guard: {ours} bytes of code by policies, {theirs} by LLVM"
        made.text_size = theirs
        return own

    def _give_up(self, made: Made, error: Exception) -> None:
        made.kept = "llvm"
        made.reason = str(error)
        self._warn(f"{made.unit}: compiled by LLVM alone: {error}")


def _run(command: Sequence[str], made: Made, part: str, *, quiet: bool = False) -> int:
    """Run a command of clang's; returns the exit status as a shell has it."""
    with _timed(made, part):
        status = subprocess.run(
            command, check=False, stderr=subprocess.DEVNULL if quiet else None
        ).returncode
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _timed(made: Made, part: str) -> Iterator[None]:
    begin = time.perf_counter()
    try:
        yield
    finally:
        made.seconds[part] = round(time.perf_counter() - begin, 4)


def _write(output: str, content: bytes) -> None:
    if output == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_file(output, content)


def _add_to_report(report: Path, made: Made) -> None:
    line = json.dumps(asdict(made)) + "\n"
    try:
        # The line is one write, so that lines of compilers that run side by side do not
        # mix.
        with open(report, "ab", buffering=0) as file:
            file.write(line.encode())
    except OSError as error:
        raise MLCompilerGymError(
            f"cannot write the report {report}: {error}"
        ) from error
