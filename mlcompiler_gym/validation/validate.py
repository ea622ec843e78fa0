# SPDX-License-Identifier: Apache-2.0
"""Running optimised and unoptimised code on the same inputs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from mlcompiler_gym.client import Service
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.lru import Lru
from mlcompiler_gym.programs import Program
from mlcompiler_gym.validation.link import link
from mlcompiler_gym.validation.reference import Reference, reference_object
from mlcompiler_gym.validation.result import Difference, Unusable, Validation
from mlcompiler_gym.validation.sandbox import Limits, run, scratch_folder

_CACHE: Lru[Reference] = Lru(1024, 64 << 20, lambda each: each.size)


def validate(
    program: Program,
    object_code: bytes,
    *,
    reference: bytes | None = None,
    limits: Limits | None = None,
    service: Service | None = None,
    target: str = "",
    cpu: str = "",
) -> Validation:
    """Compare optimised code with unoptimised code on every input of a program.

    Output, exit status and signal have to be the same. May be called from several
    threads at once; what the unoptimised code does is found out once.

    Args:
        program: The program, with inputs.
        object_code: What optimisation made of it.
        reference: Object file of the unoptimised code. ``None``: it is compiled.
        limits: What each run may use.
        service: Where to compile the reference. ``None``: on this machine.
        target: Target triple for the reference; empty: the program's own.
        cpu: CPU for the reference; empty: the target's generic one.

    Raises:
        ProgramError: The program has no inputs, does not link, or is for another
            machine.
        SandboxError: It could not be started.
    """
    if not program.inputs:
        raise ProgramError(
            f"program {program.name} cannot be run: it has no inputs. A program with "
            "main() can be given some: Program(name, content, inputs=((),)) is one "
            "run without arguments"
        )
    limits = limits or Limits()

    def compile_reference() -> bytes:
        if reference is not None:
            return reference
        return reference_object(program, service, target, cpu)

    identity = (program.sha256, target, cpu, _hash(reference), limits)
    with scratch_folder() as folder:
        name = program.name.rpartition("/")[2][:64]  # for messages
        optimised = Path(folder) / f"{name}-optimised"
        link(object_code, optimised)
        unoptimised = _Unoptimised(
            identity, compile_reference, optimised.with_name(f"{name}-unoptimised")
        )
        return _compare_all(
            program.name,
            program.sha256.hex(),
            program.inputs,
            optimised,
            unoptimised.run,
            limits,
        )


def compare_executables(
    executable: Path,
    reference: Path,
    inputs: Sequence[Sequence[str]] = ((),),
    *,
    limits: Limits | None = None,
) -> Validation:
    """Compare two programs that are linked already, on each input.

    Args:
        executable: The program in question.
        reference: The program that is right.
        inputs: Arguments of each run.
        limits: What each run may use.

    Raises:
        ProgramError: One of them cannot be read.
        SandboxError: One of them could not be started.
    """
    limits = limits or Limits()
    try:
        digest = hashlib.sha256(executable.read_bytes()).hexdigest()
    except OSError as error:
        raise ProgramError(f"cannot read {executable}: {error.strerror}") from error
    return _compare_all(
        executable.name,
        digest,
        tuple(map(tuple, inputs)),
        executable,
        functools.partial(_run_reference, reference),
        limits,
    )


def _compare_all(
    name: str,
    sha256: str,
    inputs: tuple[tuple[str, ...], ...],
    executable: Path,
    expected: Callable[[tuple[str, ...], Limits], Reference],
    limits: Limits,
) -> Validation:
    differences, unusable = [], []
    for arguments in inputs:
        known = expected(arguments, limits)
        if known.problem is not None:
            unusable.append(
                Unusable(arguments, known.problem, known.first, known.second)
            )
            continue
        found = _compare(known, executable, arguments, limits)
        if found is not None:
            differences.append(found)
    return Validation(name, sha256, inputs, tuple(differences), tuple(unusable))


def _run_reference(
    executable: Path, arguments: tuple[str, ...], limits: Limits
) -> Reference:
    first = run(executable, arguments, limits)
    # If the first run is of no use, a second one would be of none either.
    second = first if first.status is None else run(executable, arguments, limits)
    return Reference(first, second)


def _hash(reference: bytes | None) -> bytes | None:
    return None if reference is None else hashlib.sha256(reference).digest()


class _Unoptimised:
    """What unoptimised code does; compiled only if that is not known yet."""

    def __init__(
        self,
        identity: tuple[object, ...],
        compile_code: Callable[[], bytes],
        executable: Path,
    ) -> None:
        self._identity = identity
        self._compile = compile_code
        self._executable = executable

    def run(self, arguments: tuple[str, ...], limits: Limits) -> Reference:
        key = (*self._identity, arguments)
        known = _CACHE.get(key)
        if known is not None:
            return known
        if not self._executable.exists():
            link(self._compile(), self._executable)
        known = _run_reference(self._executable, arguments, limits)
        # A busy machine may be why its time was up.
        if not (known.first.timed_out or known.second.timed_out):
            _CACHE.put(key, known)
        return known


def _compare(
    known: Reference, executable: Path, arguments: tuple[str, ...], limits: Limits
) -> Difference | None:
    actual = run(executable, arguments, limits)
    if actual == known.first:
        return None
    again = run(executable, arguments, limits)
    if actual.timed_out and again == known.first:
        return None  # The machine was busy.
    return Difference(arguments, known.first, actual, repeatable=again == actual)
