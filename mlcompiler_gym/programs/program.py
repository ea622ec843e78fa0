# SPDX-License-Identifier: Apache-2.0
"""What a program is, and a set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mlcompiler_gym.errors import ProgramError


@dataclass(frozen=True)
class Program:
    """One module of LLVM IR.

    Attributes:
        name: What it is called, for example ``"kernels/regex"``.
        content: Bitcode or textual IR, or the path of a file that holds it.
    """

    name: str
    content: bytes | Path = field(repr=False)

    @cached_property
    def bitcode(self) -> bytes:
        """The module, as bitcode or textual IR; the service reads both."""
        if isinstance(self.content, bytes):
            return self.content
        try:
            return self.content.read_bytes()
        except OSError as error:
            raise ProgramError(
                f"program {self.name}: cannot read {self.content}: {error.strerror}"
            ) from error

    @cached_property
    def sha256(self) -> bytes:
        """SHA-256 of :attr:`bitcode`, 32 bytes."""
        return hashlib.sha256(self.bitcode).digest()


class ProgramSet(Sequence[Program]):
    """Programs in a fixed order, each under a name of its own."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = tuple(programs)
        self._by_name = {program.name: program for program in self._programs}
        if not self._programs:
            raise ProgramError("there are no programs in this set")
        if len(self._by_name) < len(self._programs):
            names = [program.name for program in self._programs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ProgramError(f"there are two programs of the name {twice!r}")

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [program.name for program in self._programs]

    def sample(self, rng: np.random.Generator) -> Program:
        """One program, each with the same probability."""
        return self._programs[int(rng.integers(len(self._programs)))]

    def named(self, name: str) -> Program:
        """The program called ``name``."""
        try:
            return self._by_name[name]
        except KeyError:
            raise ProgramError(
                f"no program {name!r} in this set; it has: {', '.join(self.names)}"
            ) from None

    def __len__(self) -> int:
        return len(self._programs)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return ProgramSet(self._programs[index])
        return self._programs[index]

    def __iter__(self) -> Iterator[Program]:
        return iter(self._programs)

    def __repr__(self) -> str:
        return f"ProgramSet({self.names})"
