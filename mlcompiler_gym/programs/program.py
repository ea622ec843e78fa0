# SPDX-License-Identifier: Apache-2.0
"""What a program is, and sets of them."""

from __future__ import annotations

import abc
import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from typing_extensions import override

from mlcompiler_gym.errors import ProgramError


@dataclass(frozen=True)
class Program:
    """One module of LLVM IR.

    Attributes:
        name: What it is called, for example ``"kernels/regex"``.
        content: Bitcode or textual IR, the path of a file that holds it, or a
            function that makes it when it is first needed.
        inputs: Command-line arguments of each run that shows whether optimised
            code still computes the same. ``((),)``: one run without arguments;
            ``None``: the program cannot be run.
    """

    name: str
    content: bytes | Path | Callable[[], bytes] = field(repr=False, compare=False)
    inputs: tuple[tuple[str, ...], ...] | None = field(default=None, repr=False)

    @cached_property
    def bitcode(self) -> bytes:
        """The module, as bitcode or textual IR; the service reads both.

        Raises:
            ProgramError: It cannot be read or made.
        """
        if isinstance(self.content, bytes):
            return self.content
        if not isinstance(self.content, Path):
            return self.content()
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


class ProgramSource(abc.ABC):
    """Where an environment takes programs from: a finite set or a generator."""

    @property
    @abc.abstractmethod
    def size(self) -> int | None:
        """Number of programs; None if there is no end of them."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Program]:
        """The programs in a fixed order. Each is made when it is first used."""

    @abc.abstractmethod
    def sample(self, rng: np.random.Generator) -> Program:
        """One program, by chance."""

    @abc.abstractmethod
    def named(self, name: str) -> Program:
        """The program called ``name``.

        Raises:
            ProgramError: There is none.
        """

    def __getitem__(self, index: int) -> Program:
        """The program at a place of the fixed order."""
        if index < 0:
            raise IndexError(f"there is no program {index} of {self}")
        for program in itertools.islice(self, index, None):
            return program
        raise IndexError(index)

    @property
    def names(self) -> list[str]:
        """Names in order.

        Raises:
            ProgramError: There is no end of them.
        """
        if self.size is None:
            raise ProgramError(f"there is no end of the names of {self}")
        return [program.name for program in self]


class ProgramSet(ProgramSource, Sequence[Program]):
    """Programs in a fixed order, each under a name of its own.

    Args:
        programs: In order.
        weights: How likely :meth:`sample` draws each, relative to the others.
            ``None``: all the same.
    """

    def __init__(
        self, programs: Sequence[Program], weights: Sequence[float] | None = None
    ) -> None:
        self._programs = tuple(programs)
        self._by_name = {program.name: program for program in self._programs}
        if not self._programs:
            raise ProgramError("there are no programs in this set")
        if len(self._by_name) < len(self._programs):
            names = [program.name for program in self._programs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ProgramError(f"there are two programs of the name {twice!r}")
        self._weights = (1.0,) * len(self._programs) if weights is None else (*weights,)
        if len(self._weights) != len(self._programs):
            raise ProgramError(
                f"{len(self._weights)} weights for {len(self._programs)} programs"
            )
        if not (min(self._weights) >= 0 and 0 < sum(self._weights) < math.inf):
            raise ProgramError("weights are not negative, and not all of them 0")
        self._cumulative = np.cumsum(self._weights)

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights in order, as given."""
        return self._weights

    @property
    @override
    def size(self) -> int:
        return len(self._programs)

    @override
    def sample(self, rng: np.random.Generator) -> Program:
        drawn = rng.random() * self._cumulative[-1]
        return self._programs[int(np.searchsorted(self._cumulative, drawn, "right"))]

    @override
    def named(self, name: str) -> Program:
        try:
            return self._by_name[name]
        except KeyError:
            raise ProgramError(
                f"no program {name!r} in this set; it has: {_some(self.names)}"
            ) from None

    def __len__(self) -> int:
        return len(self._programs)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return ProgramSet(self._programs[index], self._weights[index])
        return self._programs[index]

    @override
    def __iter__(self) -> Iterator[Program]:
        return iter(self._programs)

    def __repr__(self) -> str:
        return f"ProgramSet({_some(self.names)})"


class MixedPrograms(ProgramSource):
    """Several sources, of which one at least has no end.

    :meth:`sample` draws from each of them equally often.
    """

    def __init__(self, sources: Sequence[ProgramSource]) -> None:
        self._sources = tuple(sources)

    @property
    @override
    def size(self) -> None:
        return None

    @override
    def __iter__(self) -> Iterator[Program]:
        for round_ in itertools.zip_longest(*self._sources):
            yield from (program for program in round_ if program is not None)

    @override
    def sample(self, rng: np.random.Generator) -> Program:
        return self._sources[int(rng.integers(len(self._sources)))].sample(rng)

    @override
    def named(self, name: str) -> Program:
        for source in self._sources:
            try:
                return source.named(name)
            except ProgramError:
                continue
        raise ProgramError(f"no program {name!r} in any of {self}")

    def __repr__(self) -> str:
        return f"MixedPrograms({', '.join(map(repr, self._sources))})"


def combine(sources: Iterable[ProgramSource]) -> ProgramSource:
    """One source of several. Finite sets become one, program by program."""
    finite: list[Program] = []
    weights: list[float] = []
    endless: list[ProgramSource] = []
    for source in sources:
        if isinstance(source, ProgramSet):
            finite += source
            weights += source.weights
        else:
            endless.append(source)
    if not endless:
        return ProgramSet(finite, weights)
    if finite:
        endless.insert(0, ProgramSet(finite, weights))
    return endless[0] if len(endless) == 1 else MixedPrograms(endless)


def _some(names: Sequence[str], limit: int = 40) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
