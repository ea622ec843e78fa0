# SPDX-License-Identifier: Apache-2.0
"""Programs without end, from generators of random ones."""

from __future__ import annotations

import abc
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import SPLITS, check_split
from mlcompiler_gym.programs.clang import compile_source
from mlcompiler_gym.programs.named_set import NamedSet
from mlcompiler_gym.programs.program import Program, ProgramSource
from mlcompiler_gym.programs.variant import Variant

#: Seeds are below this.
SEEDS = 2**31
#: Last digits of the seeds of each split.
_DIGITS = dict(zip(SPLITS, ((0, 1, 2, 3, 4, 5, 6, 7), (8,), (9,)), strict=True))
#: Seconds that a generator may take for one program.
_PATIENCE = 60


class GeneratorSet(NamedSet):
    """Programs named by the seed that a generator makes them of."""

    #: Command, and the Debian package that has it.
    command: ClassVar[str]
    package: ClassVar[str]
    #: As in :class:`~mlcompiler_gym.programs.Program`.
    inputs: ClassVar[tuple[tuple[str, ...], ...] | None] = None

    @abc.abstractmethod
    def generate(self, seed: int, variant: Variant) -> bytes:
        """Bitcode or IR of one program."""

    @override
    def load(
        self,
        variant: Variant,
        split: str | None = None,
        licences: Collection[str] | None = None,
    ) -> GeneratedPrograms:
        check_split(self.name, split)
        self._check_licence(licences)
        return GeneratedPrograms(self, variant, split)

    def _check_licence(self, licences: Collection[str] | None) -> None:
        if licences is not None and self.licence not in licences:
            raise ProgramError(
                f"the licence of the programs of {self.name} is {self.licence!r}"
            )

    @override
    def find(
        self,
        name: str,
        variant: Variant,
        licences: Collection[str] | None = None,
    ) -> list[Program]:
        self._check_licence(licences)
        seed = name.removeprefix(self.name + "/")
        if not re.fullmatch("0|[1-9][0-9]{0,9}", seed) or int(seed) >= SEEDS:
            return []
        return [self.program(int(seed), variant)]

    @override
    def names(self) -> list[str]:
        return [self.example]

    def program(self, seed: int, variant: Variant) -> Program:
        """The program of one seed; nothing is run before it is needed."""
        return Program(
            f"{self.name}/{seed}", partial(self.generate, seed, variant), self.inputs
        )

    def run(self, arguments: list[str], folder: Path) -> bytes:
        """Run the generator in a folder of its own."""
        command = shutil.which(self.command)
        if command is None:
            raise ProgramError(
                f"{self.command} is not there, and the programs of {self.name} are "
                f"made by it: install it (Debian: {self.package})"
            )
        try:
            done = subprocess.run(
                [command, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            raise ProgramError(
                f"{self.command} {' '.join(arguments)} took more than {_PATIENCE} s"
            ) from error
        except subprocess.CalledProcessError as error:
            raise ProgramError(
                f"{self.command} {' '.join(arguments)} failed (exit status "
                f"{error.returncode}): {error.stderr.decode(errors='replace').strip()}"
            ) from error
        return done.stdout


@dataclass(frozen=True)
class GeneratedPrograms(ProgramSource):
    """All seeds of a generator, or those of one split.

    In ten successive seeds, the first eight are for training, the next for
    validation, the last for testing.
    """

    generator: GeneratorSet
    variant: Variant
    split: str | None = None

    @property
    def _digits(self) -> tuple[int, ...]:
        return _DIGITS[self.split] if self.split else tuple(range(10))

    @property
    @override
    def size(self) -> None:
        return None

    @override
    def __iter__(self) -> Iterator[Program]:
        for seed in range(SEEDS):
            if seed % 10 in self._digits:
                yield self.generator.program(seed, self.variant)

    @override
    def sample(self, rng: np.random.Generator) -> Program:
        digits = self._digits
        tens = int(rng.integers(SEEDS // 10))
        return self.generator.program(
            tens * 10 + digits[int(rng.integers(len(digits)))], self.variant
        )

    @override
    def named(self, name: str) -> Program:
        for program in self.generator.find(name, self.variant):
            if int(name.rsplit("/", 1)[1]) % 10 in self._digits:
                return program
        raise ProgramError(
            f"no program {name!r} in {self}; its names are {self.generator.name}/SEED"
        )

    def __str__(self) -> str:
        return (
            f"{self.generator.name}:{self.split}" if self.split else self.generator.name
        )


class Csmith(GeneratorSet):
    """Random C (Yang et al., PLDI 2011): runs, ends, prints a checksum."""

    name = "csmith"
    example = "csmith/1234"
    description = "random C programs that print a checksum"
    licence = "BSD-2-Clause runtime"
    command = "csmith"
    package = "csmith libcsmith-dev"
    inputs = ((),)

    @override
    def generate(self, seed: int, variant: Variant) -> bytes:
        # It leaves a file behind wherever it is run.
        with tempfile.TemporaryDirectory(prefix="csmith-") as name:
            folder = Path(name)
            source = Path(f"{seed}.c")
            (folder / source).write_bytes(self.run(["--seed", str(seed)], folder))
            return compile_source(
                source,
                flags=[*_INCLUDES, *_csmith_include(), *_FLAGS],
                target=variant.triple,
                level=variant.level,
                folder=str(folder),
            )


#: The headers are not the machine's. Those would give other bitcode on another machine,
#: and may be missing for another architecture.
_INCLUDES = ("-nostdlibinc", "-isystem", str(Path(__file__).with_name("csmith")))
_FLAGS = ("-w", "-fPIE", "-g0", "-fno-ident")


def _csmith_include() -> list[str]:
    for folder in ("/usr/include", "/usr/local/include"):
        if (Path(folder) / "csmith/csmith.h").is_file():
            return ["-isystem", f"{folder}/csmith"]
    raise ProgramError(
        "csmith.h is not there, and the programs of csmith include it: install it "
        "(Debian: libcsmith-dev)"
    )


class LLVMStress(GeneratorSet):
    """Random IR: one function of odd types, for passes and code generators."""

    name = "llvm-stress"
    example = "llvm-stress/1234"
    description = "random functions in IR; they cannot be run"
    licence = "none needed"
    command = "llvm-stress-22"
    package = "llvm-22"

    #: Instructions of each.
    instructions: ClassVar[int] = 500

    @override
    def generate(self, seed: int, variant: Variant) -> bytes:
        with tempfile.TemporaryDirectory(prefix="llvm-stress-") as folder:
            size = f"-size={self.instructions}"
            text = self.run([f"-seed={seed}", size, "-o", "-"], Path(folder))
        return f'target triple = "{variant.triple}"\n'.encode() + text
