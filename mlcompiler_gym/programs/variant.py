# SPDX-License-Identifier: Apache-2.0
"""Which bitcode of a program: the architecture, and what it will be optimised for."""

from __future__ import annotations

from dataclasses import dataclass

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import ARCHITECTURES, LEVELS


@dataclass(frozen=True)
class Variant:
    """An architecture and a level.

    Attributes:
        architecture: ``"x86_64"`` or ``"aarch64"``.
        level: What the front end marks every function for: ``"Oz"``, size above
            all, or ``"O2"``, speed. Nothing is optimised yet.
    """

    architecture: str = ARCHITECTURES[0]
    level: str = LEVELS[0]

    def __str__(self) -> str:
        return f"{self.architecture}-{self.level}"

    @property
    def triple(self) -> str:
        """Target triple that programs are compiled for unless told otherwise."""
        return f"{self.architecture}-linux-gnu"

    @classmethod
    def of(cls, target: str | None = None, level: str | None = None) -> Variant:
        """For a target triple (None: x86-64) and a level (None: Oz).

        Raises:
            ProgramError: There are no programs for that architecture or level.
        """
        architecture = (target or ARCHITECTURES[0]).split("-", 1)[0]
        architecture = {"amd64": "x86_64", "arm64": "aarch64"}.get(
            architecture, architecture
        )
        if architecture not in ARCHITECTURES:
            raise ProgramError(
                f"there are no programs for target {target!r}; there are for: "
                + ", ".join(ARCHITECTURES)
            )
        level = level or LEVELS[0]
        if level not in LEVELS:
            raise ProgramError(
                f"programs are built for the levels {' and '.join(LEVELS)}, not "
                f"{level!r}"
            )
        return cls(architecture, level)
